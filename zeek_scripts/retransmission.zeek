##! Retransmitted TCP payload per connection, in aegis_retransmission.log: bounds of the packets from Zeek's own
##! counters, an estimate of the bytes from sizes on the wire, and what can be mistaken for them: capture loss and a
##! mirror port that gives packets twice. Costs a short event per handshake and one per ten-fold of retransmissions, none
##! per packet.

@load base/frameworks/logging

module AegisRetransmission;

export {
	redef enum Log::ID += { LOG };

	global log_policy: Log::PolicyHook;

	## A connection is logged from so many estimated retransmitted bytes on, of both directions together.
	option min_bytes: count = 3000;

	## A connection is logged, too, from so many retransmitted packets of a direction on, even where no byte was seen
	## twice (what was lost before the sensor). Zeek counts in powers of ten: 10, 100, …
	option min_packets: count = 10;

	## How often a connection that is still open and has ten retransmissions or more gets a row, where its numbers grew.
	## 0 sec: when it has ended, only.
	option live_interval = 5 min;

	## The length of a TCP header where neither handshake nor retransmission has told it: that of one with timestamps,
	## since a header taken for too long makes the estimate too low rather than too high.
	option default_header: count = 32;

	type Info: record {
		## When the connection began.
		ts: time &log;
		uid: string &log;
		id: conn_id &log;
		## How long until the last packet that is counted here.
		duration: interval &log;
		## The least number of packets with payload that the originator sent again or that came late.
		orig_rexmit_min: count &log &default=0;
		## The greatest number of them.
		orig_rexmit_max: count &log &default=0;
		## The same of the responder; so below.
		resp_rexmit_min: count &log &default=0;
		resp_rexmit_max: count &log &default=0;
		## Estimated packets, between the bounds: as many of all as of the bytes, or by the rate up to the last power of
		## ten where that gives more.
		orig_rexmit_pkts_est: count &log &default=0;
		resp_rexmit_pkts_est: count &log &default=0;
		## Estimated payload bytes that the sensor saw the originator send again.
		orig_rexmit_bytes_est: count &log &default=0;
		resp_rexmit_bytes_est: count &log &default=0;
		## Packets of all kinds, as in the conn log.
		orig_pkts: count &log;
		resp_pkts: count &log;
		## Payload bytes, each once.
		orig_bytes: count &log;
		resp_bytes: count &log;
		## Payload bytes that the sensor missed: acknowledged, never seen.
		missed_bytes: count &log &default=0;
		orig_missed_bytes: count &log &default=0;
		resp_missed_bytes: count &log &default=0;
		## As in the conn log: T and t stand for retransmissions, G and g for gaps.
		history: string &log;
		## The sensor seems to see each packet more than once.
		duplicates: bool &log &default=F;
		## F in a row of a connection that was open when it was written.
		final: bool &log;
		## The process that wrote the row.
		node: string &log;
	};
}

# What is known of one direction beyond Zeek's own counters.
type Side: record {
	missed: count &default=0;
	# The last power of ten of retransmissions, and the packets when it came.
	counted: count &default=0;
	counted_at: count &default=0;
	# That retransmission had a byte at most.
	keep_alive: bool &default=F;
};

# Few connections have one.
type State: record {
	orig: Side &default=Side();
	resp: Side &default=Side();
	# A packet of the handshake came more than once.
	handshake_again: bool &default=F;
	# The capture has headers only, so what counts as missed was there.
	truncated: bool &default=F;
	# What the last row said, in bytes and packets, and whether rows of the open connection are due.
	said_bytes: count &default=0;
	said_pkts: count &default=0;
	watched: bool &default=F;
};

# What was found of one direction.
type Found: record {
	least: count &default=0;
	most: count &default=0;
	pkts: count &default=0;
	bytes: count &default=0;
	# As bytes, not limited by what so many packets can hold.
	excess: count &default=0;
};

redef record connection += {
	# The length of a data packet's TCP header in bytes. On every connection, so no record of its own.
	aegis_tcp_header: count &optional;
	aegis_retransmission: State &optional;
};

# TCP headers without options and with timestamps, the least length of a SYN-ACK's options with these, and the payload
# of a packet where no jumbo frames are.
const bare_header = 20;
const timestamp_header = 32;
const timestamp_options = 16;
const full_segment = 1460;

global look: event(id: conn_id, uid: string);

function state_of(c: connection): State
	{
	if ( ! c?$aegis_retransmission )
		c$aegis_retransmission = State();

	return c$aegis_retransmission;
	}

function ip_header_of(c: connection): count
	{
	return is_v6_addr(c$id$orig_h) ? 40 : 20;
	}

# The originator's first ACK is at hand: when the counters are brought up to it, the responder has sent SYN-ACKs only.
# These have timestamps where both sides use them (RFC 7323).
event connection_first_ACK(c: connection)
	{
	lookup_connection(c$id);

	if ( ! c$resp?$num_pkts || c$resp$num_pkts == 0 )
		return;

	local with_timestamps = ip_header_of(c) + bare_header + timestamp_options;
	c$aegis_tcp_header = c$resp$num_bytes_ip >= c$resp$num_pkts * with_timestamps ? timestamp_header : bare_header;

	if ( c$orig$num_pkts > 2 || c$resp$num_pkts > 1 )
		state_of(c)$handshake_again = T;
	}

event content_gap(c: connection, is_orig: bool, seq: count, length: count)
	{
	local state = state_of(c);
	local side = is_orig ? state$orig : state$resp;
	side$missed += length;
	}

event conn_weird(name: string, c: connection, addl: string, source: string)
	{
	if ( name == "truncated_tcp_payload" )
		state_of(c)$truncated = T;
	}

# The packet at hand is a retransmission: its header is that of the direction's data packets. Not so in a tunnel, whose
# outer packet it is.
function learn(c: connection, is_orig: bool, side: Side)
	{
	local packet = get_current_packet_header();

	if ( ! packet?$tcp || packet$tcp$sport != ( is_orig ? c$id$orig_p : c$id$resp_p ) )
		return;

	side$keep_alive = packet$tcp$dl <= 1;

	# What the handshake tells holds no SACK blocks of a lossy way back.
	if ( ! c?$aegis_tcp_header )
		c$aegis_tcp_header = packet$tcp$hl;
	}

event tcp_multiple_retransmissions(c: connection, is_orig: bool, threshold: count)
	{
	local state = state_of(c);
	local side = is_orig ? state$orig : state$resp;
	local sender = is_orig ? c$orig : c$resp;
	side$counted = threshold;
	side$counted_at = sender?$num_pkts ? sender$num_pkts : 0;
	learn(c, is_orig, side);

	if ( state$watched || live_interval == 0 sec )
		return;

	state$watched = T;
	schedule live_interval { AegisRetransmission::look(c$id, c$uid) };
	}

function times(letter: string, history: string): count
	{
	local n = 0;

	for ( l in history )
		{
		if ( l == letter )
			++n;
		}

	return n;
	}

# The bytes on the wire without headers and without what was new.
function excess_of(e: endpoint, missed: count, header: count): count
	{
	local fresh = e$size > missed ? e$size - missed : 0;
	local explained = e$num_pkts * header + fresh;
	return e$num_bytes_ip > explained ? e$num_bytes_ip - explained : 0;
	}

# History has a letter for the first retransmission and one more for each power of ten.
function bounds(letters: count, pkts: count): Found
	{
	local found = Found();

	if ( letters == 0 )
		return found;

	found$least = 1;

	while ( --letters > 0 )
		found$least = found$least * 10;

	found$most = found$least * 10 - 1;

	if ( found$most > pkts )
		found$most = pkts;

	return found;
	}

# Options of pure ACKs are bytes on the wire, too, so what counts is no more than so many packets can hold.
function limited(e: endpoint, found: Found): count
	{
	local average = 2 * e$size / e$num_pkts;
	local segment = average > full_segment ? average : full_segment;
	local limit = found$most * ( e$size < segment ? e$size : segment );
	return found$excess < limit ? found$excess : limit;
	}

function between(found: Found, guess: count): count
	{
	if ( guess < found$least )
		return found$least;

	return guess < found$most ? guess : found$most;
	}

function packets_of(e: endpoint, side: Side, found: Found): count
	{
	local by_bytes = found$bytes > 0 ? e$num_pkts * found$bytes / ( e$size + found$bytes ) : 0;
	local by_rate = side$counted_at > 0 ? side$counted * e$num_pkts / side$counted_at : 0;
	return between(found, by_bytes > by_rate ? by_bytes : by_rate);
	}

function find(e: endpoint, side: Side, header: count, letters: count, truncated: bool): Found
	{
	if ( letters == 0 || ! e?$num_pkts || e$num_pkts == 0 )
		return Found();

	local found = bounds(letters, e$num_pkts);
	found$excess = excess_of(e, truncated ? 0 : side$missed, header);
	found$bytes = limited(e, found);
	found$pkts = packets_of(e, side, found);

	# Nothing says that there was more than keep-alives, of a byte each.
	if ( side$keep_alive )
		{
		found$bytes = found$bytes > found$most ? found$bytes - found$most : 0;
		found$least = 0;
		found$pkts = 0;
		}

	return found;
	}

# Nearly all that a direction sent came again; so it is, too, where it sent nothing.
function repeated(e: endpoint, found: Found): bool
	{
	return found$excess * 10 >= e$size * 9;
	}

# All that was sent came again, both ways. A network that loses half of what it carries looks the same for a while, but
# not for a hundred packets, nor for ten each way, nor for ten and the handshake.
function are_duplicates(c: connection, state: State, orig: Found, resp: Found): bool
	{
	if ( ! repeated(c$orig, orig) || ! repeated(c$resp, resp) )
		return F;

	local more = orig$most > resp$most ? orig$most : resp$most;
	local fewer = orig$most > resp$most ? resp$most : orig$most;
	return more > 99 || fewer > 9 || ( state$handshake_again && ( more > 9 || fewer > 0 ) );
	}

function report(c: connection, final: bool)
	{
	local state = state_of(c);
	local header = ip_header_of(c) + ( c?$aegis_tcp_header ? c$aegis_tcp_header : default_header );
	local orig = find(c$orig, state$orig, header, times("T", c$history), state$truncated);
	local resp = find(c$resp, state$resp, header, times("t", c$history), state$truncated);
	local bytes = orig$bytes + resp$bytes;
	local pkts = orig$least + resp$least;

	if ( bytes < min_bytes && orig$least < min_packets && resp$least < min_packets )
		return;

	if ( ! final && bytes < state$said_bytes + min_bytes && pkts == state$said_pkts )
		return;

	state$said_bytes = bytes;
	state$said_pkts = pkts;
	Log::write(LOG, Info($ts=c$start_time, $uid=c$uid, $id=c$id, $duration=c$duration,
	    $orig_rexmit_min=orig$least, $orig_rexmit_max=orig$most, $resp_rexmit_min=resp$least,
	    $resp_rexmit_max=resp$most, $orig_rexmit_pkts_est=orig$pkts, $resp_rexmit_pkts_est=resp$pkts,
	    $orig_rexmit_bytes_est=orig$bytes, $resp_rexmit_bytes_est=resp$bytes, $orig_pkts=c$orig$num_pkts,
	    $resp_pkts=c$resp$num_pkts, $orig_bytes=c$orig$size, $resp_bytes=c$resp$size,
	    $missed_bytes=state$orig$missed + state$resp$missed, $orig_missed_bytes=state$orig$missed,
	    $resp_missed_bytes=state$resp$missed, $history=c$history,
	    $duplicates=are_duplicates(c, state, orig, resp), $final=final, $node=peer_description));
	}

event look(id: conn_id, uid: string)
	{
	if ( zeek_is_terminating() || ! connection_exists(id) )
		return;

	local c = lookup_connection(id);

	if ( c$uid != uid )
		return;

	report(c, F);
	schedule live_interval { AegisRetransmission::look(id, uid) };
	}

event connection_state_remove(c: connection)
	{
	if ( "T" in c$history || "t" in c$history )
		report(c, T);
	}

event zeek_init() &priority=5
	{
	Log::create_stream(LOG, Log::Stream($columns=Info, $path="aegis_retransmission", $policy=log_policy));
	}

##! Sizes, directions and gaps of the first packets of each connection, in aegis_packets.log. Not loaded by default: it
##! costs an event for each of these packets (and none for the rest). Needs the packet thresholds of Zeek 8.0.

@load base/frameworks/logging

module AegisPackets;

export {
	redef enum Log::ID += { LOG };

	global log_policy: Log::PolicyHook;

	## So many packets of a connection are described; then its row is written. At most 20, unless
	## :zeek:see:`ConnThreshold::generic_packet_thresholds` is given the numbers above.
	option max_packets: count = 20;

	## A connection that ends with fewer packets than these gets no row: scans and lookups are many and say little.
	option min_packets: count = 4;

	## The transport protocols whose connections are described.
	option protocols: set[transport_proto] = { tcp, udp };

	type Info: record {
		## When the connection began: with the first packet.
		ts: time &log;
		uid: string &log;
		id: conn_id &log;
		proto: transport_proto &log;
		## What was recognised until the row was written.
		service: string &log &optional;
		## IP length of each packet in bytes, headers included: positive from the originator, negative from the
		## responder.
		sizes: vector of int &log &default=vector();
		## Seconds from each packet to the next, one fewer than sizes.
		gaps: vector of interval &log &default=vector();
	};
}

# What has been seen of a connection: its packets, and the counters and the time of the last one.
type State: record {
	sizes: vector of int &default=vector();
	gaps: vector of interval &default=vector();
	orig_bytes: count &default=0;
	resp_bytes: count &default=0;
	last: time;
};

redef record connection += {
	aegis_packets: State &optional;
};

function report(c: connection)
	{
	local state = c$aegis_packets;
	delete c$aegis_packets;

	if ( |state$sizes| < min_packets )
		return;

	local row = Info($ts=c$start_time, $uid=c$uid, $id=c$id, $proto=get_port_transport_proto(c$id$resp_p),
	    $sizes=state$sizes, $gaps=state$gaps);

	if ( |c$service| > 0 )
		row$service = to_lower(join_string_set(c$service, ","));

	Log::write(LOG, row);
	}

# Zeek has found that the first packet came from the responder, and has turned its counters round.
function turn(state: State)
	{
	local orig_bytes = state$orig_bytes;
	state$orig_bytes = state$resp_bytes;
	state$resp_bytes = orig_bytes;

	for ( i in state$sizes )
		state$sizes[i] = -state$sizes[i];
	}

function note(c: connection, state: State)
	{
	local orig_bytes = c$orig$num_bytes_ip;
	local resp_bytes = c$resp$num_bytes_ip;

	if ( orig_bytes < state$orig_bytes || resp_bytes < state$resp_bytes )
		turn(state);

	# One of the two has grown.
	local size: int = orig_bytes - state$orig_bytes;
	size -= resp_bytes - state$resp_bytes;
	state$sizes += size;
	local now = network_time();

	if ( |state$sizes| > 1 )
		state$gaps += now - state$last;

	state$orig_bytes = orig_bytes;
	state$resp_bytes = resp_bytes;
	state$last = now;
	}

@ifdef ( ConnThreshold::generic_packet_thresholds )
redef ConnThreshold::generic_packet_thresholds += {
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
};

event conn_generic_packet_threshold_crossed(c: connection, threshold: count)
	{
	if ( threshold == 1 && get_port_transport_proto(c$id$resp_p) in protocols )
		c$aegis_packets = State($last=network_time());

	if ( ! c?$aegis_packets )
		return;

	note(c, c$aegis_packets);

	if ( threshold >= max_packets )
		report(c);
	}
@else
event zeek_init()
	{
	Reporter::warning("packet_stats writes nothing: this Zeek has no thresholds of packets (8.0 and later have)");
	}
@endif

event connection_state_remove(c: connection)
	{
	if ( c?$aegis_packets )
		report(c);
	}

event zeek_init() &priority=5
	{
	Log::create_stream(LOG, Log::Stream($columns=Info, $path="aegis_packets", $policy=log_policy));
	}

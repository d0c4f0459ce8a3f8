##! Who looks for hosts and ports that are not there: failed attempts by source and interval, in aegis_scan.log. What was
##! refused, not answered or left half-open is evidence; what was answered is told beside it and is none. Costs one
##! handler per connection, none per packet. In a cluster, workers send what they found to the proxies, which add it up.

@load base/frameworks/cluster
@load base/misc/version
@load base/protocols/conn

@load ./scan_sources

module AegisScan;

export {
	## What a worker found since it last sent, by source.
	global report: event(found: table[addr] of Info);
}

redef record connection += {
	# An ICMP message said that this is refused.
	aegis_scan_refused: bool &optional;
};

# Messages of a flush are at most these, whatever the number of sources: more at once would be dropped.
const buckets = 64;

# What lies further apart belongs to two rows: Zeek has forgotten every attempt by then.
const apart = 5 min;

const icmp_requests: set[port] = { 8/icmp, 13/icmp, 15/icmp, 17/icmp, 128/icmp, 139/icmp };
const multicast: set[subnet] = { 224.0.0.0/4, 255.255.255.255/32, [ff00::]/8 };
const first_high_port = 1024/udp;
const first_icmp_port = 0/icmp;

# ICMP codes by which an unreachable port or an administrator refuses; others tell that there is no such host.
const refusals: set[count] = { 3, 9, 10, 13 };
const refusals_v6: set[count] = { 1, 4, 5, 6 };

global flush: event();

# What the connections of this process show, and in an aggregating process the whole picture; one and the same where
# there is no cluster.
global whole = new_view();
global own = Cluster::local_node_type() == Cluster::WORKER ? new_view() : whole;

# An attempt is long after what is known of its source: that belongs to another row, or there is nothing.
function begin_again(info: Info, at: time): Info
	{
	if ( attempts_of(info) == 0 )
		info$ts = at;

	if ( attempts_of(info) == 0 || ! info?$src )
		return info;

	local src = info$src;
	close(own, src);
	return begin(own, src, at, T);
	}

function add_sample(info: Info, id: conn_id)
	{
	local host = is_v6_addr(id$resp_h) ? fmt("[%s]", id$resp_h) : cat(id$resp_h);
	local p = is_icmp_port(id$resp_p) ? id$orig_p : id$resp_p;
	add info$sample[fmt("%s:%s", host, p)];
	}

# Notes a host, a port or both that are new to the source, as far as there is room.
function add_target(info: Info, id: conn_id, new_host: bool, new_port: bool)
	{
	if ( own$targets >= max_targets || ( new_host && |info$all_hosts| >= max_hosts )
	     || ( new_port && |info$all_ports| >= max_ports ) )
		{
		info$capped = T;
		return;
		}

	if ( new_host )
		{
		add info$all_hosts[id$resp_h];
		++own$targets;
		}
	else
		++info$deepened;

	if ( new_port )
		{
		add info$all_ports[id$resp_p];
		++own$targets;
		}

	if ( |info$sample| < sample_size )
		add_sample(info, id);
	}

# Notes a failed attempt; how it failed is counted by the caller. A scan is nothing but such, of one source most often:
# each statement counts.
function attempt(c: connection): Info
	{
	local id = c$id;
	local at = c$start_time;
	local info = own?$last && own$last$src == id$orig_h ? own$last : meet(own, id$orig_h, at, F);

	if ( at > info$ts_end )
		{
		if ( at > info$ts_end + apart )
			info = begin_again(info, at);

		info$ts_end = at;
		}
	else if ( at < info$ts )
		info$ts = at;

	if ( info$capped )
		return info;

	local new_host = id$resp_h !in info$all_hosts;
	local new_port = id$resp_p !in info$all_ports && id$resp_p < first_icmp_port;

	if ( new_host || new_port )
		add_target(info, id, new_host, new_port);

	return info;
	}

function note_unanswered(c: connection): Info
	{
	local info = attempt(c);

	if ( c?$aegis_scan_refused )
		++info$refused;
	else
		++info$unanswered;

	return info;
	}

function note_answered(c: connection)
	{
	if ( c$id$orig_h in own$sources )
		++own$sources[c$id$orig_h]$answered;
	}

# An answer whose question was not seen comes from a low port and goes to a high one.
function note_udp(c: connection)
	{
	local id = c$id;

	if ( c$conn$conn_state != "S0" || c$history[0] != "D" || id$resp_h in multicast
	     || ( id$orig_p < first_high_port && id$resp_p >= first_high_port )
	     || ( id$resp_p >= first_traceroute_port && id$resp_p <= last_traceroute_port ) )
		return;

	local info = note_unanswered(c);
	++info$udp;
	}

function note_icmp(c: connection)
	{
	if ( c$id$orig_p !in icmp_requests || c$id$resp_h in multicast )
		return;

	# As of UDP, whose constants these are.
	if ( c$resp$state == UDP_ACTIVE )
		{
		note_answered(c);
		return;
		}

	local info = note_unanswered(c);
	++info$icmp;
	}

function note_half_open(c: connection)
	{
	local info = attempt(c);
	++info$half_open;
	}

# What did not begin with a SYN shows nothing: it may be an answer to somebody's forged SYN, or the end of a connection
# that was idle for long.
function note_reset(c: connection)
	{
	if ( c$history[0] != "S" )
		return;

	if ( "h" !in c$history )
		{
		local info = attempt(c);
		++info$refused;
		}
	else if ( "D" in c$history || "d" in c$history )
		note_answered(c);
	else
		note_half_open(c);
	}

function note_tcp(c: connection)
	{
	switch ( c$conn$conn_state ) {
	case "REJ", "RSTO":
		note_reset(c);
		break;
	case "S0", "RSTOS0":
		note_unanswered(c);
		break;
	case "S1":
		# What Zeek takes for established may be a SYN and its answer.
		if ( c$history == "Sh" )
			note_half_open(c);
		else
			note_answered(c);
		break;
	case "S2", "S3", "RSTR":
		note_answered(c);
		break;
	}
	}

# A lone SYN, and one that was answered by a reset, are TCP's most frequent failures and those of most scans.
event connection_state_remove(c: connection)
	{
	if ( c$history == "Sr" )
		{
		local info = attempt(c);
		++info$refused;
		}
	else if ( c$history == "S" )
		note_unanswered(c);
	else if ( c$conn$conn_state == "SF" )
		note_answered(c);
	else if ( c$conn$proto == tcp )
		note_tcp(c);
	else if ( c$conn$proto == udp )
		note_udp(c);
	else if ( c$conn$proto == icmp )
		note_icmp(c);
	}

# What an ICMP message refuses is an attempt of its own, which ends later.
event icmp_unreachable(c: connection, info: icmp_info, code: count, context: icmp_context)
	{
	if ( code !in ( info$v6 ? refusals_v6 : refusals ) )
		return;

	local id = context$id;

@if ( Version::number >= 70100 )
	id$proto = is_tcp_port(id$resp_p) ? 6 : is_udp_port(id$resp_p) ? 17 : id$proto;
@endif

	if ( connection_exists(id) )
		lookup_connection(id)$aegis_scan_refused = T;
	}

event AegisScan::report(found: table[addr] of Info)
	{
	for ( src, part in found )
		merge(whole, src, part);
	}

function send_to_manager(found: table[addr] of Info)
	{
@ifdef ( Cluster::publish )
	Cluster::publish(Cluster::manager_topic, AegisScan::report, found);
@else
	Broker::publish(Cluster::manager_topic, AegisScan::report, found);
@endif
	}

# All that workers know of a source goes to the same proxy. Where there is none, the manager has the whole picture, or a
# part of it while a proxy is away; where that is away, too, the worker itself.
function send(found: table[addr] of Info, bucket: count)
	{
	if ( Cluster::publish_hrw(Cluster::proxy_pool, bucket, AegisScan::report, found) )
		return;

	if ( Cluster::get_active_node_count(Cluster::MANAGER) > 0 )
		send_to_manager(found);
	else
		event AegisScan::report(found);
	}

# A source stays for a window after its last failed attempt, so that what is answered meanwhile is counted.
function send_all()
	{
	local found: table[count] of table[addr] of Info = table();
	local kept: table[addr] of Info = table();
	local now = network_time();

	for ( src, info in own$sources )
		{
		if ( attempts_of(info) > 0 )
			{
			local bucket = fnv1a32(src) % buckets;

			if ( bucket !in found )
				found[bucket] = table();

			found[bucket][src] = info;
			kept[src] = Info($src=src, $opened=now);
			}
		else if ( now - info$opened < window )
			kept[src] = info;
		}

	if ( attempts_of(own$overflow) > 0 )
		drop_overflow(whole, own$overflow);

	own = new_view();
	own$sources = kept;

	for ( b, part in found )
		send(part, b);
	}

function flush_all(final: bool)
	{
	if ( Cluster::local_node_type() == Cluster::WORKER )
		send_all();

	close_due(whole, final);
	}

event AegisScan::flush()
	{
	if ( zeek_is_terminating() )
		return;

	flush_all(F);
	schedule flush_interval { AegisScan::flush() };
	}

event zeek_init()
	{
	schedule flush_interval { AegisScan::flush() };
	}

event zeek_done()
	{
	flush_all(T);
	}

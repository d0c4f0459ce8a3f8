##! The scan log itself: its options, its columns, and from when on a source has a row. Loaded by scan.

@load base/frameworks/logging
@load base/utils/site

module AegisScan;

export {
	redef enum Log::ID += { LOG };

	global log_policy: Log::PolicyHook;

	## How much time a row is about, from the first failed attempt that is counted on.
	option window = 60 sec;

	## How often it is looked whether a window is over, and how often workers send what they found.
	option flush_interval = 5 sec;

	## A source has a row from so many hosts on that it failed to reach within the window. As many as Zeek's own scan
	## detection asked for.
	option min_hosts: count = 25;

	## Or from so many ports of one host on.
	option min_ports: count = 15;

	## And from so many failed attempts on.
	option min_attempts: count = 15;

	## And where failed attempts are this share of all (0.0 to 1.0): of a resolver's, a proxy's or an address translator's
	## connections, some always fail. 0.0: however many are answered.
	option min_failed_share = 0.1;

	## Sources that a process keeps in mind, about 1 kB each. Where half of them are taken, a source is kept from its
	## second attempt on; where all are, those with the fewest targets are forgotten. What is not kept is counted in a row
	## of the kind "overflow".
	option max_sources: count = 20000;

	## Distinct hosts, and distinct ports, kept of a source. Where there are more of one, the row says `capped`, and no more
	## of either are looked at.
	option max_hosts: count = 1024;
	option max_ports: count = 1024;

	## Hosts and ports kept of all sources together, about 0.1 kB each.
	option max_targets: count = 400000;

	## Targets that a row names.
	option sample_size: count = 10;

	## The UDP ports that traceroute sends to, where nothing is expected to answer: they count for nobody.
	option first_traceroute_port = 33434/udp;
	option last_traceroute_port = 33534/udp;

	type Info: record {
		## When the first of the attempts began.
		ts: time &log &default=double_to_time(0.0);
		## When the last of them began.
		ts_end: time &log &default=double_to_time(0.0);
		## Who tried; unset in a row of the kind "overflow".
		src: addr &log &optional;
		## Attempts that failed: refused, unanswered and half_open together.
		attempts: count &log &default=0;
		## Distinct hosts they went to, and distinct ports (TCP and UDP).
		hosts: count &log &default=0;
		ports: count &log &default=0;
		## There were more hosts or ports than are kept: both numbers are lower bounds.
		capped: bool &log &default=F;
		## vertical: many ports of a host. horizontal: many hosts. mixed: both. overflow: attempts of sources for which
		## there was no room.
		kind: string &log &default="overflow";
		## Connections of the source that were answered since its first failed attempt.
		answered: count &log &default=0;
		## Answered by a reset or by an ICMP message of refusal.
		refused: count &log &default=0;
		unanswered: count &log &default=0;
		## Answered, and dropped by the source before anything was said.
		half_open: count &log &default=0;
		## Attempts by kind: TCP SYN, UDP, ICMP requests.
		syn: count &log &default=0;
		udp: count &log &default=0;
		icmp: count &log &default=0;
		## The source is one of the site's own addresses.
		local_orig: bool &log &optional;
		## Some of the targets, as host:port/proto; a request by ICMP has its type for a port.
		sample: set[string] &log &default=set();
		## The process that wrote the row. Where proxies come and go, two can have seen a part each.
		node: string &log &default="";

		# Not logged: the hosts and ports, how many of the ports were new where the host was not, and when counting began.
		all_hosts: set[addr] &default=set();
		all_ports: set[port] &default=set();
		deepened: count &default=0;
		opened: time;
	};
}

function attempts_of(info: Info): count
	{
	return info$refused + info$unanswered + info$half_open;
	}

function targets_of(info: Info): count
	{
	return |info$all_hosts| + |info$all_ports|;
	}

# Empty below the floors.
function kind_of(info: Info): string
	{
	local many_ports = |info$all_ports| >= min_ports;

	if ( |info$all_hosts| >= min_hosts )
		return many_ports ? "mixed" : "horizontal";

	return many_ports && info$deepened + 1 >= min_ports ? "vertical" : "";
	}

function is_worth_a_row(info: Info): bool
	{
	local attempts = attempts_of(info);
	return attempts >= min_attempts && attempts >= min_failed_share * ( attempts + info$answered );
	}

function write(info: Info)
	{
	info$attempts = attempts_of(info);
	info$syn = info$attempts - info$udp - info$icmp;
	info$hosts = |info$all_hosts|;
	info$ports = |info$all_ports|;
	info$node = peer_description;

	if ( info?$src )
		info$local_orig = Site::is_local_addr(info$src);

	Log::write(LOG, info);
	}

event zeek_init() &priority=5
	{
	Log::create_stream(LOG, Log::Stream($columns=Info, $path="aegis_scan", $policy=log_policy));
	}

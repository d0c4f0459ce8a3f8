##! The sources that one process has in mind, in bounded memory: how they are met, added up, forgotten and told of. Loaded
##! by scan.

@load ./scan_log

module AegisScan;

# What one process has in mind.
type View: record {
	sources: table[addr] of Info &default=table();
	# The one of them that was met last.
	last: Info &optional;
	# Attempts of those that had to be forgotten, or had no room.
	overflow: Info;
	# Hosts and ports of them all.
	targets: count &default=0;
	# Sources met once while half of the room was taken: only the second time is one kept.
	once: set[addr] &default=set();
	# No room could be made since the last flush.
	full: bool &default=F;
};

function new_view(): View
	{
	return View($overflow=Info($opened=network_time()));
	}

function add_counts(to: Info, part: Info)
	{
	if ( attempts_of(to) == 0 || part$ts < to$ts )
		to$ts = part$ts;

	if ( part$ts_end > to$ts_end )
		to$ts_end = part$ts_end;

	to$answered += part$answered;
	to$refused += part$refused;
	to$unanswered += part$unanswered;
	to$half_open += part$half_open;
	to$udp += part$udp;
	to$icmp += part$icmp;
	to$capped = to$capped || part$capped;
	}

# How many of the ports are new where the host is not can only be bounded.
function add_targets(to: Info, part: Info)
	{
	local hosts = |to$all_hosts|;
	local ports = |to$all_ports|;

	for ( host in part$all_hosts )
		{
		if ( |to$all_hosts| < max_hosts )
			add to$all_hosts[host];
		else if ( host !in to$all_hosts )
			to$capped = T;
		}

	for ( p in part$all_ports )
		{
		if ( |to$all_ports| < max_ports )
			add to$all_ports[p];
		else if ( p !in to$all_ports )
			to$capped = T;
		}

	hosts = |to$all_hosts| - hosts;
	ports = |to$all_ports| - ports;
	local deepened = ports > hosts ? ports - hosts : 0;

	if ( deepened < part$deepened )
		deepened = part$deepened < ports ? part$deepened : ports;

	to$deepened += deepened;

	for ( target in part$sample )
		{
		if ( |to$sample| < sample_size )
			add to$sample[target];
		}
	}

function add_part(view: View, to: Info, part: Info)
	{
	add_counts(to, part);

	if ( view$targets >= max_targets )
		{
		to$capped = T;
		return;
		}

	local before = targets_of(to);
	add_targets(to, part);
	view$targets += targets_of(to) - before;
	}

function drop_overflow(view: View, part: Info)
	{
	if ( attempts_of(view$overflow) == 0 )
		view$overflow$opened = network_time();

	add_part(view, view$overflow, part);
	}

function forget(view: View, src: addr)
	{
	delete view$sources[src];
	delete view$last;
	}

function is_crowded(view: View, quarters: count): bool
	{
	return |view$sources| * 4 >= max_sources * quarters || view$targets * 4 >= max_targets * quarters;
	}

# Forgets the sources with the fewest targets, as lossy counting does, until a quarter is free: spoofed ones have one
# target. Those that reach the floors stay.
function make_room(view: View)
	{
	local fewest = 2;

	while ( is_crowded(view, 3) && fewest < min_ports )
		{
		local forgotten: vector of addr = vector();

		for ( src, info in view$sources )
			{
			if ( targets_of(info) <= fewest )
				forgotten += src;
			}

		for ( i in forgotten )
			{
			local last = view$sources[forgotten[i]];
			view$targets -= targets_of(last);
			forget(view, forgotten[i]);

			if ( attempts_of(last) > 0 )
				drop_overflow(view, last);
			}

		fewest += fewest;
		}

	view$full = is_crowded(view, 3);
	}

# Whether a new source is kept. Forged ones come once, most of them.
function admits(view: View, src: addr, more: bool): bool
	{
	if ( |view$sources| * 2 >= max_sources && ! more && src !in view$once )
		{
		if ( |view$once| >= max_sources )
			view$once = set();

		add view$once[src];
		return F;
		}

	if ( ! view$full && is_crowded(view, 4) )
		make_room(view);

	return ! view$full;
	}

# What is kept of a source that is not known yet, of one attempt or more; of all that are not admitted, the same.
function begin(view: View, src: addr, at: time, more: bool): Info
	{
	if ( ! admits(view, src, more) )
		{
		if ( attempts_of(view$overflow) == 0 )
			{
			view$overflow$opened = network_time();
			view$overflow$ts = at;
			}

		return view$overflow;
		}

	local info = Info($ts=at, $ts_end=at, $src=src, $opened=network_time());
	view$sources[src] = info;
	return info;
	}

# What is kept of a source, known or not.
function meet(view: View, src: addr, at: time, more: bool): Info
	{
	if ( src !in view$sources )
		return begin(view, src, at, more);

	view$last = view$sources[src];
	return view$last;
	}

function close(view: View, src: addr)
	{
	local info = view$sources[src];
	info$kind = kind_of(info);
	view$targets -= targets_of(info);
	forget(view, src);

	if ( info$kind != "" && is_worth_a_row(info) )
		write(info);
	}

function close_due(view: View, all: bool)
	{
	local before = network_time() - window;
	local due: vector of addr = vector();

	for ( src, info in view$sources )
		{
		if ( all || info$opened <= before )
			due += src;
		}

	for ( i in due )
		close(view, due[i]);

	if ( attempts_of(view$overflow) > 0 && ( all || view$overflow$opened <= before ) )
		{
		view$targets -= targets_of(view$overflow);
		write(view$overflow);
		view$overflow = Info($opened=network_time());
		}

	view$full = F;
	}

function merge(view: View, src: addr, part: Info)
	{
	local info = meet(view, src, part$ts, attempts_of(part) > 1);
	add_part(view, info, part);
	}

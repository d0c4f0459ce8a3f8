##! What the client and the server said in their TLS hellos, collected for fingerprints. Loaded by those that need it.
##! QUIC and DTLS raise the same events as TLS.

@load base/protocols/ssl

module AegisTLS;

export {
	## Of a client's hello, what fingerprints are made of. Values of extensions are as sent, empty where there was none.
	type Hello: record {
		## The extensions' codes in the order in which they were sent, without GREASE.
		extensions: index_vec;
		groups: string &default="";
		point_formats: string &default="";
		signatures: string &default="";
		protocols: string &default="";
		versions: string &default="";
		## The ciphers in decimal, in the order in which they were sent, without GREASE and with a dash between.
		ciphers: string &default="";
		## What JA3 is the hash of: version, ciphers, extensions, groups and point formats. Most hellos share it with others.
		text: string &optional;
	};

	## What the client said in the hello that is being read, its text included.
	global client_said: function(c: connection, version: count, ciphers: index_vec): Hello;

	## The codes of the server's extensions in the order in which they were sent.
	global server_extensions: function(c: connection): index_vec;

	## The numbers, each of so many bytes, behind the first bytes, without GREASE.
	global numbers: function(value: string, behind: count, width: count): index_vec;

	## The values without GREASE, as they were sent.
	global without_grease: function(values: index_vec): index_vec;

	## Numbers in decimal with a dash between.
	global dashed: function(values: index_vec): string;

	## Keeps what was made of a key, which most hellos share with others. What is kept is bounded: it all goes when full.
	global keep: function(known: table[string] of string, key: string, made: string): string;
}

# What clients put in to keep servers tolerant (RFC 8701).
const grease: set[count] = {
	0x0a0a, 0x1a1a, 0x2a2a, 0x3a3a, 0x4a4a, 0x5a5a, 0x6a6a, 0x7a7a, 0x8a8a, 0x9a9a, 0xaaaa, 0xbaba, 0xcaca, 0xdada,
	0xeaea, 0xfafa,
};

const most_kept = 2000;

# From lists, as they came, to their text.
global known_ciphers: table[string] of string;
global known_groups: table[string] of string;
global known_point_formats: table[string] of string;

redef record connection += {
	aegis_client_hello: Hello &optional;
	aegis_server_extensions: index_vec &optional;
};

function server_extensions(c: connection): index_vec
	{
	return c?$aegis_server_extensions ? c$aegis_server_extensions : index_vec();
	}

function without_grease(values: index_vec): index_vec
	{
	local kept: index_vec = index_vec();
	for ( _, value in values )
		if ( value !in grease )
			kept += value;
	return kept;
	}

function numbers(value: string, behind: count, width: count): index_vec
	{
	local found: index_vec = index_vec();
	local at = behind;
	while ( at + width <= |value| )
		{
		found += bytestring_to_count(value[at:at + width]);
		at += width;
		}
	return without_grease(found);
	}

function keep(known: table[string] of string, key: string, made: string): string
	{
	if ( |known| >= most_kept )
		clear_table(known);

	known[key] = made;
	return made;
	}

function dashed(values: index_vec): string
	{
	return subst_string(cat(values)[1:-1], ", ", "-");
	}

function ciphers_of(values: index_vec): string
	{
	local key = cat(values);
	return key in known_ciphers ? known_ciphers[key] : keep(known_ciphers, key, dashed(without_grease(values)));
	}

function groups_of(value: string): string
	{
	return value in known_groups ? known_groups[value] : keep(known_groups, value, dashed(numbers(value, 2, 2)));
	}

function point_formats_of(value: string): string
	{
	return value in known_point_formats ? known_point_formats[value] :
	    keep(known_point_formats, value, dashed(numbers(value, 1, 1)));
	}

function client_said(c: connection, version: count, ciphers: index_vec): Hello
	{
	local said = c?$aegis_client_hello ? c$aegis_client_hello : Hello();
	if ( said?$text )
		return said;

	said$ciphers = ciphers_of(ciphers);
	said$text = cat(version, ",", said$ciphers, ",", dashed(said$extensions), ",", groups_of(said$groups), ",",
	    point_formats_of(said$point_formats));
	c$aegis_client_hello = said;
	return said;
	}

event ssl_extension(c: connection, is_client: bool, code: count, val: string)
	{
	if ( code in grease )
		return;

	if ( ! is_client )
		{
		if ( ! c?$aegis_server_extensions )
			c$aegis_server_extensions = index_vec();
		c$aegis_server_extensions += code;
		return;
		}

	if ( ! c?$aegis_client_hello )
		c$aegis_client_hello = Hello();

	local said = c$aegis_client_hello;
	said$extensions += code;
	switch ( code )
		{
		case 10:
			said$groups = val;
			break;
		case 11:
			said$point_formats = val;
			break;
		case 13:
			said$signatures = val;
			break;
		case 16:
			said$protocols = val;
			break;
		case 43:
			said$versions = val;
			break;
		}
	}

# Fingerprints are made at higher priorities; what is collected for them goes then.
event ssl_client_hello(c: connection, version: count, record_version: count, possible_ts: time,
    client_random: string, session_id: string, ciphers: index_vec, comp_methods: index_vec) &priority=-20
	{
	delete c$aegis_client_hello;
	}

event ssl_server_hello(c: connection, version: count, record_version: count, possible_ts: time,
    server_random: string, session_id: string, cipher: count, comp_method: count) &priority=-20
	{
	delete c$aegis_server_extensions;
	}

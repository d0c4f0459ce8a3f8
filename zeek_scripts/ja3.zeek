##! JA3 and JA3S in ssl.log (and quic.log): how a client and a server set up TLS, as MD5. After the description of the
##! method by John Althouse, Jeff Atkinson and Josh Atkins (2017, BSD licence), https://github.com/salesforce/ja3. Of a
##! handshake that is begun anew (HelloRetryRequest), the first hellos count.

@load ./columns
@load ./tls_hello

module AegisJA3;

export {
	redef record SSL::Info += {
		## The client's fingerprint: MD5 of version, ciphers, extensions, groups and point formats.
		aegis_ja3: string &log &optional;
		## The server's answer to it: MD5 of version, cipher and extensions.
		aegis_ja3s: string &log &optional;
	};

@ifdef ( QUIC::Info )
	redef record QUIC::Info += {
		aegis_ja3: string &log &optional;
		aegis_ja3s: string &log &optional;
	};
@endif
}

redef Log::default_field_name_map += { ["aegis_ja3"] = "ja3", ["aegis_ja3s"] = "ja3s" };

# From lists, as they came, to their text.
global known_ciphers: table[string] of string;
global known_groups: table[string] of string;
global known_point_formats: table[string] of string;

# Numbers with a dash between.
function dashed(values: index_vec): string
	{
	return subst_string(cat(values)[1:-1], ", ", "-");
	}

function ciphers_of(values: index_vec): string
	{
	local key = cat(values);
	return key in known_ciphers ? known_ciphers[key] :
	    AegisTLS::keep(known_ciphers, key, dashed(AegisTLS::without_grease(values)));
	}

function groups_of(value: string): string
	{
	return value in known_groups ? known_groups[value] :
	    AegisTLS::keep(known_groups, value, dashed(AegisTLS::numbers(value, 2, 2)));
	}

function point_formats_of(value: string): string
	{
	return value in known_point_formats ? known_point_formats[value] :
	    AegisTLS::keep(known_point_formats, value, dashed(AegisTLS::numbers(value, 1, 1)));
	}

function of_client(said: AegisTLS::Hello, version: count, ciphers: index_vec): string
	{
	return md5_hash(cat(version, ",", ciphers_of(ciphers), ",", dashed(said$extensions), ",", groups_of(said$groups),
	    ",", point_formats_of(said$point_formats)));
	}

function of_server(extensions: index_vec, version: count, cipher: count): string
	{
	return md5_hash(cat(version, ",", cipher, ",", dashed(extensions)));
	}

event ssl_client_hello(c: connection, version: count, record_version: count, possible_ts: time,
    client_random: string, session_id: string, ciphers: index_vec, comp_methods: index_vec)
	{
	if ( ! c?$ssl )
		return;

	if ( ! c$ssl?$aegis_ja3 )
		c$ssl$aegis_ja3 = of_client(AegisTLS::client_said(c), version, ciphers);

@ifdef ( QUIC::Info )
	if ( c?$quic )
		c$quic$aegis_ja3 = c$ssl$aegis_ja3;
@endif
	}

event ssl_server_hello(c: connection, version: count, record_version: count, possible_ts: time,
    server_random: string, session_id: string, cipher: count, comp_method: count)
	{
	if ( ! c?$ssl )
		return;

	if ( ! c$ssl?$aegis_ja3s )
		c$ssl$aegis_ja3s = of_server(AegisTLS::server_extensions(c), version, cipher);

@ifdef ( QUIC::Info )
	if ( c?$quic )
		c$quic$aegis_ja3s = c$ssl$aegis_ja3s;
@endif
	}

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

# From the text to its hash.
global known: table[string] of string;

function hashed(text: string): string
	{
	return text in known ? known[text] : AegisTLS::keep(known, text, md5_hash(text));
	}

event ssl_client_hello(c: connection, version: count, record_version: count, possible_ts: time,
    client_random: string, session_id: string, ciphers: index_vec, comp_methods: index_vec)
	{
	if ( ! c?$ssl )
		return;

	if ( ! c$ssl?$aegis_ja3 )
		c$ssl$aegis_ja3 = hashed(AegisTLS::client_said(c, version, ciphers)$text);

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
		c$ssl$aegis_ja3s = hashed(cat(version, ",", cipher, ",", AegisTLS::dashed(AegisTLS::server_extensions(c))));

@ifdef ( QUIC::Info )
	if ( c?$quic )
		c$quic$aegis_ja3s = c$ssl$aegis_ja3s;
@endif
	}

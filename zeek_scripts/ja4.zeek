##! JA4 in ssl.log (and quic.log): how a client sets up TLS, DTLS or QUIC, in a form that people can read in parts. After
##! the description of the TLS client method by FoxIO (BSD 3-Clause), https://github.com/FoxIO-LLC/ja4. The other methods
##! of that family have another licence and are not here. Of a handshake that is begun anew (HelloRetryRequest), the
##! first hello counts.

@load ./columns
@load ./tls_hello

module AegisJA4;

export {
	redef record SSL::Info += {
		## The client's fingerprint, such as t13d1516h2_8daaf6152771_e5627efa2ab1.
		aegis_ja4: string &log &optional;
	};

@ifdef ( QUIC::Info )
	redef record QUIC::Info += {
		aegis_ja4: string &log &optional;
	};
@endif
}

redef Log::default_field_name_map += { ["aegis_ja4"] = "ja4" };

const version_names: table[count] of string = {
	[0x0304] = "13",
	[0x0303] = "12",
	[0x0302] = "11",
	[0x0301] = "10",
	[0x0300] = "s3",
	[0x0002] = "s2",
	[0xfeff] = "d1",
	[0xfefd] = "d2",
	[0xfefc] = "d3",
} &default="00";

const no_hash = "000000000000";

# Of the extensions, these do not go into the hash: what they say stands in the first part.
const server_name_extension = 0;
const alpn_extension = 16;

# From all that was said to the fingerprint without its first letter, and from lists to their part of it.
global known: table[string] of string;
global known_ciphers: table[string] of string;
global known_extensions: table[string] of string;

function in_hex(values: index_vec): string
	{
	local texts: string_vec = string_vec();
	for ( _, value in values )
		texts += fmt("%04x", value);
	return join_string_vec(texts, ",");
	}

function hashed(text: string): string
	{
	return sha256_hash(text)[0:12];
	}

function at_most_99(number: count): string
	{
	return fmt("%02d", number > 99 ? 99 : number);
	}

# The newest version that the client supports; DTLS counts downwards.
function newest(legacy: count, supported: string): count
	{
	local best = 0;
	for ( _, version in AegisTLS::numbers(supported, 1, 2) )
		if ( best == 0 || ( legacy >= 0xfe00 ? version < best : version > best ) )
			best = version;
	return best == 0 ? legacy : best;
	}

# First and last letter of the first protocol. Where one of them is no letter or digit of ASCII, those of its hex form.
function ends(protocols: string): string
	{
	local protocol = |protocols| > 3 ? protocols[3:3 + bytestring_to_count(protocols[2:3])] : "";
	if ( protocol == "" )
		return "00";

	if ( /[^0-9A-Za-z]/ in protocol[0:1] || /[^0-9A-Za-z]/ in protocol[-1:] )
		protocol = bytestring_to_hexstr(protocol);
	return protocol[0:1] + protocol[-1:];
	}

function transport(c: connection, legacy: count): string
	{
	if ( legacy >= 0xfe00 )
		return "d";

	return get_port_transport_proto(c$id$resp_p) == udp ? "q" : "t";
	}

# How many ciphers, and their hash.
function ciphers_of(text: string, values: index_vec): string
	{
	if ( text in known_ciphers )
		return known_ciphers[text];

	local ciphers = AegisTLS::without_grease(values);
	sort(ciphers);
	local hash = |ciphers| == 0 ? no_hash : hashed(in_hex(ciphers));
	return AegisTLS::keep(known_ciphers, text, at_most_99(|ciphers|) + hash);
	}

# Whether there is a name, how many extensions, and their hash.
function extensions_of(sent: index_vec, signatures: string): string
	{
	local sorted = copy(sent);
	sort(sorted);
	local key = cat(sorted, signatures);
	if ( key in known_extensions )
		return known_extensions[key];

	local name = "i";
	local to_hash: index_vec = index_vec();
	for ( _, code in sorted )
		{
		if ( code == server_name_extension )
			name = "d";
		else if ( code != alpn_extension )
			to_hash += code;
		}

	local hash = no_hash;
	if ( |to_hash| > 0 )
		{
		local algorithms = in_hex(AegisTLS::numbers(signatures, 2, 2));
		hash = hashed(in_hex(to_hash) + ( algorithms == "" ? "" : "_" + algorithms ));
		}
	return AegisTLS::keep(known_extensions, key, name + at_most_99(|sorted|) + hash);
	}

function of_client(said: AegisTLS::Hello, version: count, ciphers: index_vec): string
	{
	local key = cat(said$text, ";", said$signatures, ";", said$protocols, ";", said$versions);
	if ( key in known )
		return known[key];

	local suites = ciphers_of(said$ciphers, ciphers);
	local extensions = extensions_of(said$extensions, said$signatures);
	return AegisTLS::keep(known, key, cat(version_names[newest(version, said$versions)], extensions[0:1], suites[0:2],
	    extensions[1:3], ends(said$protocols), "_", suites[2:], "_", extensions[3:]));
	}

event ssl_client_hello(c: connection, version: count, record_version: count, possible_ts: time,
    client_random: string, session_id: string, ciphers: index_vec, comp_methods: index_vec)
	{
	if ( ! c?$ssl )
		return;

	if ( ! c$ssl?$aegis_ja4 )
		c$ssl$aegis_ja4 = transport(c, version) + of_client(AegisTLS::client_said(c, version, ciphers), version,
		    ciphers);

@ifdef ( QUIC::Info )
	if ( c?$quic )
		c$quic$aegis_ja4 = c$ssl$aegis_ja4;
@endif
	}

##! HASSH in ssh.log: which algorithms a client and a server offer, as MD5. After the description of the method by Ben
##! Reardon and Adel Karimi (2018, BSD licence), https://github.com/salesforce/hassh.

@load base/protocols/ssh
@load ./columns

module AegisHASSH;

export {
	redef record SSH::Info += {
		## The client's fingerprint.
		aegis_hassh: string &log &optional;
		## The server's.
		aegis_hasshServer: string &log &optional;
	};
}

redef Log::default_field_name_map += { ["aegis_hassh"] = "hassh", ["aegis_hasshServer"] = "hasshServer" };

function listed(algorithms: string_vec): string
	{
	return join_string_vec(algorithms, ",");
	}

function fingerprint(kex: string_vec, encryption: string_vec, mac: string_vec, compression: string_vec): string
	{
	return md5_hash(cat_sep(";", "", listed(kex), listed(encryption), listed(mac), listed(compression)));
	}

event ssh_capabilities(c: connection, cookie: string, capabilities: SSH::Capabilities)
	{
	if ( ! c?$ssh )
		return;

	local encryption = capabilities$encryption_algorithms;
	local mac = capabilities$mac_algorithms;
	local compression = capabilities$compression_algorithms;
	if ( capabilities$is_server )
		c$ssh$aegis_hasshServer = fingerprint(capabilities$kex_algorithms, encryption$server_to_client,
		    mac$server_to_client, compression$server_to_client);
	else
		c$ssh$aegis_hassh = fingerprint(capabilities$kex_algorithms, encryption$client_to_server,
		    mac$client_to_server, compression$client_to_server);
	}

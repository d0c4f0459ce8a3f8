##! What detection rules ask for and Zeek leaves off: named pipes in smb_files.log (PsExec, remote scheduled tasks and
##! service control show there) and the names of HTTP headers, in their order, in http.log. Each has an option.

@load base/protocols/smb
@load policy/protocols/http/header-names

module AegisRules;

export {
	## Whether opened named pipes are logged in smb_files.log. Costs a row for each pipe that a client opens: on a
	## domain controller that may be as many rows as smb_files has otherwise.
	option log_named_pipes = T;

	## Whether the names of the headers that clients send are logged in http.log, some 100 bytes a row and 3 % of Zeek's
	## time where half of the connections are HTTP. Stock Zeek's HTTP::log_client_header_names is set by it,
	## HTTP::log_server_header_names is left alone.
	option log_client_header_names = F;
}

function set_named_pipes(wanted: bool)
	{
	local actions = copy(SMB::logged_file_actions);
	if ( wanted )
		add actions[SMB::PIPE_OPEN];
	else
		delete actions[SMB::PIPE_OPEN];
	Option::set("SMB::logged_file_actions", actions);
	}

function change_named_pipes(id: string, wanted: bool): bool
	{
	set_named_pipes(wanted);
	return wanted;
	}

function change_header_names(id: string, wanted: bool): bool
	{
	Option::set("HTTP::log_client_header_names", wanted);
	return wanted;
	}

event zeek_init()
	{
	set_named_pipes(log_named_pipes);
	Option::set("HTTP::log_client_header_names", log_client_header_names);
	Option::set_change_handler("AegisRules::log_named_pipes", change_named_pipes);
	Option::set_change_handler("AegisRules::log_client_header_names", change_header_names);
	}

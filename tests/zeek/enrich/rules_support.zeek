# @TEST-DOC: Header names in http.log, named pipes in smb_files.log, and both the other way round than by default.
#
# @TEST-EXEC: gunzip -c $TRACES/beacon_http.pcap.gz | zeek -b -C -r - base/protocols/http $PACKAGE/rules_support.zeek %INPUT AegisRules::log_client_header_names=T >pipes
# @TEST-EXEC: zeek-cut client_header_names <http.log | sort -u >headers
# @TEST-EXEC: gunzip -c $TRACES/beacon_http.pcap.gz | zeek -b -C -r - base/protocols/http $PACKAGE/rules_support.zeek %INPUT AegisRules::log_named_pipes=F >>pipes
# @TEST-EXEC: zeek-cut client_header_names <http.log | sort -u >>headers
# @TEST-EXEC: btest-diff pipes
# @TEST-EXEC: btest-diff headers

event zeek_done()
	{
	print SMB::PIPE_OPEN in SMB::logged_file_actions, SMB::FILE_OPEN in SMB::logged_file_actions;
	}

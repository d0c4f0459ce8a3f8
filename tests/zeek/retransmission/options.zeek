# @TEST-DOC: The floor is an option, the policy hook can refuse a row, and the default scripts change nothing.
#
# @TEST-EXEC: gunzip -c $TRACES/loss_20.pcap.gz >loss_20.pcap
# @TEST-EXEC: zeek -C -r loss_20.pcap $PACKAGE/retransmission.zeek AegisRetransmission::min_bytes=1 && zeek-cut id.orig_p orig_rexmit_bytes_est <aegis_retransmission.log | sort >rows
# @TEST-EXEC: btest-diff rows
# @TEST-EXEC: rm aegis_retransmission.log
# @TEST-EXEC: zeek -b -C -r loss_20.pcap $PACKAGE/retransmission.zeek %INPUT
# @TEST-EXEC: test ! -e aegis_retransmission.log

hook AegisRetransmission::log_policy(rec: AegisRetransmission::Info, id: Log::ID, filter: Log::Filter)
	{
	break;
	}

# @TEST-DOC: Upload and download with loss, IPv4 and IPv6 and without IP identification: who sent how much again.
#
# @TEST-EXEC: for t in loss_5 loss_20 loss_download_20 loss_20_id0 loss_5_v6 loss_20_v6 loss_download_20_v6; do gunzip -c $TRACES/$t.pcap.gz | zeek -b -C -r - $PACKAGE/retransmission.zeek && echo "== $t" && zeek-cut orig_rexmit_min orig_rexmit_max orig_rexmit_pkts_est orig_rexmit_bytes_est resp_rexmit_min resp_rexmit_max resp_rexmit_pkts_est resp_rexmit_bytes_est orig_bytes resp_bytes history duplicates final <aegis_retransmission.log | sort; done >rows
# @TEST-EXEC: btest-diff rows

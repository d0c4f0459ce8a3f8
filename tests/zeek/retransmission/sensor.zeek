# @TEST-DOC: A mirror that doubles packets and a sensor that loses some can be told from loss.
#
# @TEST-EXEC: for t in loss_0_span loss_20_span loss_20_v6_span loss_20_holes; do gunzip -c $TRACES/$t.pcap.gz | zeek -b -C -r - $PACKAGE/retransmission.zeek && echo "== $t" && zeek-cut orig_rexmit_bytes_est resp_rexmit_bytes_est orig_bytes resp_bytes missed_bytes orig_missed_bytes resp_missed_bytes history duplicates <aegis_retransmission.log | sort; done >rows
# @TEST-EXEC: btest-diff rows

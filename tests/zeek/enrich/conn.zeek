# @TEST-DOC: The handshake's round trips: none where a SYN or its answer came twice, or the ACK never did. The community id, also where Zeek's own script writes it.
#
# @TEST-EXEC: for t in latency loss_20_v6 loss_20_span scan_horizontal syn_flood_spoofed; do gunzip -c $TRACES/$t.pcap.gz | zeek -b -C -r - $PACKAGE/conn.zeek && echo "== $t" && zeek-cut proto conn_state orig_rtt resp_rtt <conn.log | awk '{ print $1, $2, ($3 == "-" ? "-" : sprintf("%.2f", $3)), ($4 == "-" ? "-" : sprintf("%.2f", $4)) }' | sort | uniq -c | sed 's/^ *//'; done >round_trips
# @TEST-EXEC: btest-diff round_trips
# @TEST-EXEC: gunzip -c $TRACES/scan_udp.pcap.gz | zeek -C -r - policy/protocols/conn/community-id-logging $PACKAGE/conn.zeek
# @TEST-EXEC: zeek-cut id.resp_p community_id <conn.log | sort -n | head -5 >ids
# @TEST-EXEC: btest-diff ids

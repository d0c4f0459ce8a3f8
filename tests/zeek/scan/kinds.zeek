# @TEST-DOC: Many ports of a host, many hosts at a port or two, by TCP over IPv4 and IPv6, by UDP and by ICMP; slowly, too.
#
# @TEST-EXEC: for t in scan_vertical scan_vertical_v6 scan_horizontal scan_udp scan_slow icmp_sweep; do gunzip -c $TRACES/$t.pcap.gz | zeek -b -C -r - $PACKAGE/scan.zeek && echo "== $t" && zeek-cut -n sample <aegis_scan.log; done >rows
# @TEST-EXEC: btest-diff rows

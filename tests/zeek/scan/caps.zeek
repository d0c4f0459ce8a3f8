# @TEST-DOC: Beyond what is kept of a source, or of all, attempts still count and the row says so; from the floors on there is a row.
#
# @TEST-EXEC: gunzip -c $TRACES/scan_vertical.pcap.gz >scan.pcap
# @TEST-EXEC: zeek -b -C -r scan.pcap $PACKAGE/scan.zeek AegisScan::max_ports=100 && zeek-cut attempts hosts ports capped kind <aegis_scan.log >rows
# @TEST-EXEC: zeek -b -C -r scan.pcap $PACKAGE/scan.zeek AegisScan::max_targets=50 && zeek-cut attempts hosts ports capped kind <aegis_scan.log >>rows
# @TEST-EXEC: zeek -b -C -r scan.pcap $PACKAGE/scan.zeek AegisScan::min_ports=1000 && zeek-cut attempts hosts ports capped kind <aegis_scan.log >>rows
# @TEST-EXEC: btest-diff rows
# @TEST-EXEC: rm aegis_scan.log
# @TEST-EXEC: zeek -b -C -r scan.pcap $PACKAGE/scan.zeek AegisScan::min_ports=1001
# @TEST-EXEC: test ! -e aegis_scan.log

# @TEST-DOC: A scan from outside and one from inside among other traffic; targets are named in the row.
#
# @TEST-EXEC: gunzip -c $TRACES/multistage.pcap.gz | zeek -C -r - $PACKAGE/scan.zeek %INPUT
# @TEST-EXEC: zeek-cut -n sample <aegis_scan.log >rows
# @TEST-EXEC: btest-diff rows
# @TEST-EXEC: test $(zeek-cut sample <aegis_scan.log | tail -1 | tr , '\n' | grep -cE '^10\.[12]0\.0\.[0-9]+:22/tcp$') = 3

redef AegisScan::sample_size = 3;

# @TEST-DOC: What the certificates say, in the rows of their connections; the bound on names.
#
# @TEST-EXEC: for t in benign_tls_part beacon_https; do gunzip -c $TRACES/$t.pcap.gz | zeek -b -C -r - $PACKAGE/certificate.zeek && zeek-cut version subject issuer not_valid_before not_valid_after cert_serial cert_key_type cert_key_length cert_sig_alg cert_names self_signed <ssl.log | sort | uniq -c | sed 's/^ *//'; done >said
# @TEST-EXEC: btest-diff said
# @TEST-EXEC: gunzip -c $TRACES/benign_tls_part.pcap.gz | zeek -b -C -r - $PACKAGE/certificate.zeek AegisCertificate::max_names=1
# @TEST-EXEC: zeek-cut cert_names <ssl.log | sort | uniq -c | sed 's/^ *//' >one_name
# @TEST-EXEC: btest-diff one_name

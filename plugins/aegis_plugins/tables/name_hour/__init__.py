"""Per hour, client, registered domain and name below it: how long, how often asked, of which types and answered how."""

from __future__ import annotations

from aegis_enrich.plugin import Column, DerivedTable


class NameHour(DerivedTable):
    """The names that a client asked for below a registered domain in an hour; see README.md."""

    name = "name_hour"
    reads = ("dns",)
    shard_key = "orig_h"
    columns = (
        Column("orig_h", "addr", "client"),
        Column("query_domain", "string", "registered domain"),
        Column("name_hash", "string", "hash of what stands before the domain; null: all names beyond 1,000 an hour"),
        Column("names", "count", "different names in this row: 1 where it has a hash"),
        Column("queries", "count", "queries"),
        Column("sub_bytes", "count", "what stands before the domain, each name once", "bytes"),
        Column("longest_bytes", "count", "the longest of these", "bytes"),
        Column("millibits", "count", "information in the names' characters, each name once", "bits/1000"),
        Column("typed", "count", "names asked for as another type than A, AAAA, HTTPS, SVCB"),
        Column("typed_millibits", "count", "information in these", "bits/1000"),
        Column("tcp", "count", "queries over TCP"),
        Column("resolver", "addr", "a server asked: the least by text"),
        Column("nxdomain", "count", "queries answered NXDOMAIN"),
        Column("answered", "count", "queries with an answer record"),
        Column("loopback", "count", "queries whose first answer is in 127.0.0.0/8"),
        Column("answer_bytes", "count", "answers as logged", "bytes"),
        Column("typed_answer_bytes", "count", "answers as logged to `typed` names", "bytes"),
        Column("qtype", "string", "a record type asked for: the last by name"),
        Column("first_us", "count", "the first query", "µs since the epoch"),
        Column("last_us", "count", "the last query", "µs since the epoch"),
        Column("uid", "string", "an example: the least uid"),
        Column("example", "string", "the whole name, of the first three that the client asked for in the hour"),
    )

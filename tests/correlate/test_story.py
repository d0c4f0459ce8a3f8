"""The story of an incident: sentences with times, numbers and uids, for a terminal and for a ticket."""

from correlate.conftest import ELSEWHERE, INTRUSION, made, seen

from aegis_enrich.correlate.incident import document, incident_of, with_state
from aegis_enrich.correlate.story import as_markdown, as_text, tell
from aegis_enrich.decide.investigate import Investigate

C2 = ("TA0011/T1071",)


def doc_of(shipped, *documents):
    return with_state(document(incident_of(seen(*documents), shipped)), "open", 1)


def test_it_is_told_in_order_with_what_came_of_what(shipped):
    text = as_text(tell(doc_of(shipped, *INTRUSION)))
    told = [line.strip() for line in text.splitlines()]
    assert "2026-05-28 20:26:40  reconnaissance (Reconnaissance)" in told
    assert "From then on the attacker is on 10.0.0.5." in told
    assert "90 s later 10.0.0.5, which had just been entered, goes on." in told
    assert text.index("reconnaissance") < text.index("command and control") < text.index("exfiltration")
    assert "10.0.0.6 did exfiltration to 203.0.113.8. [Cexfiltration0, Cexfiltration1, Cexfiltration2]" in told
    assert "Attacker: 198.51.100.7; broken into: 10.0.0.5 and 10.0.0.6; outside places that serve it:" in text


def test_what_another_detector_saw_stands_under_what_leads(shipped):
    beacon = made("beaconing", target="203.0.113.9", for_s=900, techniques=C2, severity=73)
    tls = made("tls_c2", target="203.0.113.9", at_s=5, for_s=900, techniques=C2)
    assert "The same was seen by Tls c2: 10.0.0.5 did tls_c2 to 203.0.113.9." in as_text(
        tell(doc_of(shipped, beacon, tls))
    )


def test_how_sure_and_how_bad_with_the_reasons(shipped):
    story = tell(doc_of(shipped, ELSEWHERE))
    assert story.sure == (
        "It is what it says with a likelihood of 68 %.",
        "Against it: one detector alone says so (Beaconing).",
    )
    assert story.risk[0] == "60 of 100; the worst alert alone gives 60."


def test_rules_say_how_to_go_on_the_worst_alert_s_first_and_each_once(shipped):
    def advice(alert):
        return Investigate(confirm=(f"ask {alert['actor']}", "look again"), respond=(f"stop {alert['rule']}",))

    story = tell(doc_of(shipped, *INTRUSION), advice)
    assert story.confirm[0] == "ask 198.51.100.7"
    assert story.respond == ("stop brute_force", "stop port_scan", "stop exfiltration", "stop beaconing")
    assert story.refute == () and "What would refute it" not in as_text(story)


def test_what_analysts_said_and_what_came_since(shipped):
    doc = doc_of(shipped, *INTRUSION)
    notes = [{"at": "2026-05-29T08:00:00+00:00", "status": "closed", "note": "a drill", "author": "ada"}]
    triage = {"status": "closed", "at": "2026-05-29T08:00:00+00:00", "author": "ada", "alerts": 4, "notes": notes}
    doc["aegis"]["triage"] = triage
    assert tell(doc).triage == (
        "closed since 2026-05-29 08:00:00 by ada.",
        "2 alerts came since.",
        "2026-05-29 08:00:00 ada: a drill",
    )


def test_markdown_escapes_what_came_from_the_wire(shipped):
    hostile = made("beaconing", target="203.0.113.9", name="<script>*x*.test", severity=73, techniques=C2)
    hostile["event"]["reason"] = "called <script>*x*.test [y](javascript:z)"
    text = as_markdown(tell(doc_of(shipped, hostile)))
    assert "<script>" not in text and "[y](" not in text
    assert r"\<script\>\*x\*.test \[y\](javascript:z)" in text
    assert text.startswith("# ")

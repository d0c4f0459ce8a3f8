import dataclasses

from html_page import Page

from aegis_enrich.report.headline import headline, title


def heading(contents):
    page = Page.of(headline(contents))
    return page.all("h1")[0].text, page


def test_one_incident_is_the_title(contents):
    said, page = heading(contents)
    assert said == "Break-in by guessing: 203.0.113.66, reaching 10.10.0.14 and 10.10.0.15"
    counts = [e.text for e in page.elements if (e.attributes.get("class") or "").startswith("chip s")]
    assert counts[0] == "1 critical" and sum(int(c.split()[0]) for c in counts) == 7
    assert "reconnaissance → guessing of credentials → command and control" in page.text
    assert title(contents) == "Network report, 2026-11-22 02:28:34 to 02:32:20 UTC"


def test_the_picture_has_a_lane_for_each_who_acts(contents):
    _, page = heading(contents)
    svg = page.all("svg")[0]
    assert "2026-11-22 02:28:55 203.0.113.66: Brute force" in svg.attributes["aria-label"]
    lanes = [e.text for e in page.all("text", class_="strong")]
    assert lanes == ["203.0.113.66" * 2, "10.10.0.14" * 2, "10.10.0.15" * 2]  # the label and its tip


def test_several_incidents_are_a_list(contents):
    several = dataclasses.replace(contents, incidents=contents.incidents * 7, incident_count=9)
    said, page = heading(several)
    assert said == "9 incidents, the worst of risk 89 of 100"
    assert len(page.all("ol")[0].text.split("Break-in by guessing: 203")) == 6
    assert "and 4 further incidents" in page.text


def test_nothing_found_says_so_kindly(quiet):
    said, page = heading(quiet)
    assert said == "Nothing found"
    assert "All quiet: 872 rows of conn, dns, ssh, ssl, x509, and nothing in them to which a rule objects." in page.text
    assert "detectors and" in page.text
    assert not page.all("svg")


def test_alerts_without_an_incident(contents):
    alone = dataclasses.replace(contents, incidents=(), incident_count=0)
    said, page = heading(alone)
    assert said == "No incident, 7 alerts"
    assert "none is grave enough" in page.text
    health = {**contents.alerts[0], "rule": {**contents.alerts[0]["rule"], "id": "packet_loss"}}
    _, page = heading(dataclasses.replace(alone, alerts=(health,)))
    assert "tell of the state of the network" in page.text
    assert not page.all("svg")


def test_no_rows(quiet):
    none = dataclasses.replace(quiet, logs=(), first_us=None, last_us=None)
    said, page = heading(none)
    assert said == "No rows"
    assert "There are no rows in this state, so nothing could be judged." in page.text
    later = dataclasses.replace(none, reading=dataclasses.replace(quiet.reading, since_us=1))
    assert "There are no rows of this time" in headline(later)


def test_of_a_part_of_the_time_no_number_of_rows_is_claimed(quiet):
    part = dataclasses.replace(quiet, reading=dataclasses.replace(quiet.reading, since_us=1))
    text = Page.of(headline(part)).text
    assert "All quiet: rows of this time of conn" in text
    assert "872 rows in the whole state" in text


def test_alerts_of_other_times_and_lesser_hosts_are_counted(contents):
    far = {
        **contents.alerts[-1],
        "aegis": {
            **contents.alerts[-1]["aegis"],
            "first_seen": "1970-01-01T00:00:00Z",
            "last_seen": "1970-01-01T00:00:01Z",
        },
    }
    others = [{**contents.alerts[-1], "source": {"ip": f"10.1.0.{n}"}} for n in range(7)]
    _, page = heading(dataclasses.replace(contents, alerts=(*contents.alerts, *others, far)))
    assert "Not drawn: 2 further hosts with lesser alerts and 1 alert of other times." in page.text

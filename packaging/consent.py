#!/usr/bin/env python3
"""Signs in at the embedded PostHog by its own pages, as a browser would: log in, leave the form as it is, authorize.

Usage: consent.py ADDRESS, where ADDRESS is the one for this device that `pockethog login --no-browser` prints, or the one
of the page that `pockethog demo --no-browser` prints: then its button is pressed first, and the dashboard is waited for.
"""

import re
import sys
import time
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from http.cookiejar import CookieJar


class Page(HTMLParser):
    """The fields of a page's form that a browser would send, the addresses of its buttons, and where it leads by itself."""

    def __init__(self, text):
        super().__init__()
        self.fields, self.buttons, self.leads_to = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        field = dict(attributes)
        if tag == "button" and "formaction" in field:
            self.buttons.append(field["formaction"])
        if tag == "meta" and field.get("http-equiv") == "refresh" and "url=" in field.get("content", ""):
            self.leads_to = field["content"].split("url=", 1)[1]
        if tag != "input" or "name" not in field:
            return
        if field.get("type") in ("radio", "checkbox") and "checked" not in field:
            return
        self.fields.append((field["name"], field.get("value", "on")))


def main(address):
    browser = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
    )

    def follow(answer):
        """The page, after those that lead on by themselves."""
        page = Page(answer.read().decode())
        while page.leads_to:
            answer = browser.open(urllib.parse.urljoin(answer.geturl(), page.leads_to), timeout=30)
            page = Page(answer.read().decode())
        return answer.geturl(), page

    def submit(here, page, button):
        """Sends the form of `page`, whose buttons have an action of `/login` or of the page itself."""
        to = urllib.parse.urljoin(here, "/login") if urllib.parse.urlsplit(here).path.startswith("/login") else here
        body = urllib.parse.urlencode(page.fields + [button]).encode()
        return browser.open(to, body, timeout=30)

    here, page = follow(browser.open(address, timeout=30))
    pressed = [to for to in page.buttons if to.endswith("/sign-in/us")]
    if pressed:
        button = urllib.request.Request(
            urllib.parse.urljoin(here, pressed[0]),
            urllib.parse.urlencode(page.fields).encode(),
            {"Sec-Fetch-Site": "same-origin"},
        )
        here, page = follow(browser.open(button, timeout=30))
    here, page = follow(submit(here, page, ("person", "1")))
    done = submit(here, page, ("decision", "authorize"))
    print(f"consent.py: {done.status} at {urllib.parse.urlsplit(done.geturl()).path.split('~')[0]}")
    if pressed:
        dashboard(browser, done.geturl())


def dashboard(browser, address):
    """Waits until the page has the total of all projects, which are read while its events are listened to."""
    events = urllib.parse.urljoin(address, "events/home")
    listening = browser.open(events, timeout=60)
    for _ in range(240):
        text = browser.open(address, timeout=30).read().decode()
        cards = text.count('class="card project"')
        total = re.search(r"Visitors today.{0,600}?([0-9][0-9,]*)</", text, re.DOTALL)
        if cards and total and 'data-state="live"' in text:
            print(f"consent.py: the dashboard has {cards} projects and {total.group(1)} visitors today")
            listening.close()
            return
        time.sleep(0.25)
    raise SystemExit("consent.py: the dashboard has no numbers")


main(sys.argv[1])

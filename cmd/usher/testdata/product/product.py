"""A product that sells by the seat. It talks to Usher over HTTP only.

The modules that it imports are those of docs/examples/python.md. It prints what it does and what
Usher sends, with the time since its start.
"""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from credits import consume
from entitlements import EntitlementCache
from handover import handover_url
from usher import Usher
from webhooks import WebhookReceiver

STARTED = time.time()


def log(text):
    print(f"+{time.time() - STARTED:8.3f} s  {text}", flush=True)


class Theatre:
    """A customer of the product: an organization of Usher."""

    def __init__(self, usher, own_url):
        self.usher = usher
        self.own_url = own_url
        self.entitlements = EntitlementCache(usher)
        self.id = None
        self.webhooks = None

    def sign_up(self, name, people):
        """Creates the organization, whose first person is the admin, and adds the webhook."""
        admin = {"email": people[0]["email"], "name": people[0]["name"]}
        body = {"name": name, "externalId": "customer-1", "admin": admin}
        _, organization = self.usher.send("POST", "/api/v1/organizations", body=body)
        self.id = organization["id"]
        log(f"created {name}")
        url = self.own_url + "/webhooks/usher"
        _, webhook = self.usher.send("POST", "/api/v1/webhooks", self.id, {"url": url})
        self.webhooks = WebhookReceiver(webhook["secret"], self.handle)
        log("added the webhook")
        self.set_people(people)

    def set_people(self, people):
        path = "/api/v1/members"
        _, answer = self.usher.send("PUT", path, self.id, {"members": people})
        seats = answer["seats"]["after"]["desiredSeats"]
        log(f"set {len(people)} people, {len(answer['added'])} of them new: {seats} seats")

    def remove(self, external_id):
        _, answer = self.usher.send("GET", "/api/v1/members", self.id)
        member = next(m for m in answer["members"] if m["externalId"] == external_id)
        self.usher.send("DELETE", f"/api/v1/members/{member['id']}", self.id)
        log(f"removed {member['name']}")

    def export(self, export_id):
        balance = consume(self.usher, self.id, 3, "export", f"export-{export_id}")
        log(f"export {export_id}: {balance} credits are left")

    def handle(self, message):
        data = message["data"]
        if message["type"] == "entitlements.changed":
            self.entitlements.mark_stale(self.id)
        describe = {
            "entitlements.changed": describe_entitlements,
            "credits.changed": lambda d: f"{d['credits']['balance']} credits",
            "subscription.changed": describe_subscription,
            "seats.changed": describe_seats,
            "member.changed": lambda d: f"{d['name']}, {d['status']}, joined {d['joined']}",
            "invoice.paid": lambda d: f"{d['total']} {d['currency']}",
        }[message["type"]]
        log(f"{message['type']}: {describe(data)}")


def describe_entitlements(data):
    return f"plan {data['plan']}, {data['status']}, access {data['access']}, {data['seats']}"


def describe_subscription(data):
    subscription = data["subscription"]
    if subscription is None:
        return "none"
    return f"{subscription['status']}, ends {subscription['cancelAtPeriodEnd']}"


def describe_seats(data):
    return f"{data['billableMembers']} people, quantity {data['quantity']}, sync {data['sync']['status']}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        address = urlsplit(self.path)
        if address.path == "/reports":
            allowed = theatre.entitlements.allows(theatre.id, "reports")
            log(f"reports: {'shown' if allowed else 'refused'}")
            self.respond(200 if allowed else 402)
        elif address.path == "/billing":
            email = parse_qs(address.query)["email"][0]
            url = handover_url(usher.url, os.environ["USHER_HANDOVER_KEY"], theatre.id, email)
            log(f"{email} goes to the billing page")
            self.respond(303, Location=url)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        part = self.path.split("/")
        if part[1] == "webhooks":
            status = theatre.webhooks.receive(self.headers, body) if theatre.webhooks else 503
            if status >= 300:
                log(f"refused a webhook with {status}")
            return self.respond(status)
        if part[1] == "theatres":
            theatre.sign_up(**json.loads(body))
        elif part[1] == "exports":
            theatre.export(part[2])
        self.respond(200)

    def do_DELETE(self):
        theatre.remove(self.path.split("/")[2])
        self.respond(200)

    def respond(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_request(self, *args):
        pass


host, port = os.environ["ADDR"].split(":")
server = ThreadingHTTPServer((host, int(port)), Handler)
own_url = f"http://{host}:{server.server_port}"
usher = Usher(os.environ["USHER_URL"], os.environ["USHER_KEY"])
theatre = Theatre(usher, own_url)
print(f"The product is at {own_url}", flush=True)
print(f"It started at {STARTED:.6f}", flush=True)
server.serve_forever()

// Calls every operation of the client in client.js, which is generated from openapi.json, and prints
// the names. Operations that are not listed here fail.
import { readFileSync } from "node:fs";

import { Usher } from "./client.js";

const settings = JSON.parse(readFileSync("settings.json", "utf8"));

/** Returns a client that sends a key. */
const clientWith = (key) =>
  new Usher({
    baseUrl: settings.url,
    securityWorker: () => ({ headers: { Authorization: `Bearer ${key}` } }),
  });

const own = clientWith(settings.key);
const installation = clientWith(settings.installationKey);
const called = [];

/** Calls an operation with the key of an organization, and returns the answer's object. */
async function call(group, name, ...parameters) {
  const client = name.endsWith("Organization") ? installation : own;
  const response = await client[group][name](...parameters);
  called.push(name);
  return response.data;
}

try {
  const { organizationId } = await call("billing", "getSummary");
  await call("billing", "createSubscriptionCheckout", { organizationId, priceId: settings.packPrice, mode: "payment" });
  await call("billing", "createCustomerPortal", { organizationId });
  await call("billing", "retrySeatSync", {});
  await call("api", "getEntitlements");
  await call("api", "consumeCredits", { amount: 1, reason: "export", idempotencyKey: "generated" });
  const { members } = await call("api", "listMembers");
  const everybody = members.map(({ externalId, email, name, role }) => ({ ...(externalId && { externalId }), email, name, role }));
  await call("api", "putMembers", { members: everybody }, { dry_run: true });
  const added = await call("api", "addMember", { email: "new@example.com", name: "New" });
  await call("api", "removeMember", added.id);
  await call("api", "getSeats");
  await call("api", "listInvoices", { limit: 1 });
  const admin = { email: "boss@beacon.example", name: "Bo" };
  const created = await call("api", "createOrganization", { name: "Beacon", externalId: "b/1", admin });
  const { organizations } = await call("api", "findOrganization", { externalId: "b/1" });
  const read = await call("api", "getOrganization", organizations[0].id);
  if (read.id !== created.id) {
    throw new Error(`${read.id} is not ${created.id}`);
  }
  const webhook = await call("api", "createWebhook", { url: "https://webhook.invalid/", events: ["seats.changed"] });
  await call("api", "listWebhooks");
  await call("api", "testWebhook", webhook.id, {});
  await call("api", "enableWebhook", webhook.id, {});
  await call("api", "rotateWebhook", webhook.id, {});
  await call("api", "deleteWebhook", webhook.id);
} catch (problem) {
  // The client throws the response of a refused request.
  console.error(`after ${called.at(-1)}:`, problem instanceof Error ? problem : problem.status, problem.error ?? "");
  process.exit(1);
}

const missing = ["billing", "api"].flatMap((group) => Object.keys(own[group])).filter((name) => !called.includes(name));
if (missing.length > 0) {
  console.error("not called:", missing.join(", "));
  process.exit(1);
}
console.log(called.join("\n"));

// The stand-in for Stripe.js that the local Stripe serves: the part of Stripe's script that takes
// card payments, for pages in development and tests. What it does not support throws an
// IntegrationError that names it. The server joins this file and elements.js, payments.js and
// stripe.js to one script with a scope of its own. docs/local-stripe.md tells more.

const script = document.currentScript;
if (!script) throw new Error('Load the local Stripe.js with a <script> element: it finds the local Stripe by its address.');
const { origin, pathname } = new URL(script.src);
const release = pathname.split('/')[1]; // v3, acacia, basil, …

// The API version of each release. v3 has the account's.
const apiVersions = {
  acacia: '2025-02-24.acacia', basil: '2025-08-27.basil', clover: '2026-02-25.clover', dahlia: '2026-08-26.dahlia', endive: '2026-10-28.endive',
};
const releases = ['v3', ...Object.keys(apiVersions)];
const isSince = (name) => releases.indexOf(release) >= releases.indexOf(name);

// A mistake of the page, which is thrown. What a person can correct is returned as {error}.
class IntegrationError extends Error {
  name = 'IntegrationError';
}

const unsupported = (what) => new IntegrationError(`This local Stripe does not support ${what}.`);

function allowOnly(where, options, names) {
  const other = Object.keys(options ?? {}).find((name) => options[name] !== undefined && !names.includes(name));
  if (other) throw unsupported(`the option ${other} of ${where}`);
}

// A refusal of the API or of a field.
class Refusal extends Error {
  constructor(error) {
    super(error.message);
    this.error = error;
  }
}

// Resolves with the value under a name, or with {error}.
async function resultOf(name, value) {
  try {
    return { [name]: await value };
  } catch (error) {
    if (error instanceof Refusal) return { error: error.error };
    throw error;
  }
}

function valueOf(answer) {
  if (answer.error) throw new Refusal(answer.error);
  return answer;
}

// Encodes parameters as the API takes them: card[number]=…
function encode(params, form = new URLSearchParams(), path = '') {
  for (const [name, value] of Object.entries(params)) {
    const at = path ? `${path}[${name}]` : name;
    if (value !== null && typeof value === 'object') encode(value, form, at);
    else if (value !== null && value !== undefined) form.append(at, value);
  }
  return form;
}

class API {
  constructor(key, version) {
    Object.assign(this, { key, version });
  }

  async call(method, path, params) {
    const form = encode(params);
    const headers = { Authorization: `Bearer ${this.key}` };
    if (this.version) headers['Stripe-Version'] = this.version;
    const address = `${origin}/v1/${path}`;
    try {
      const response = method === 'GET' ? await fetch(`${address}?${form}`, { headers }) : await fetch(address, { method, headers, body: form });
      return valueOf(await response.json());
    } catch (error) {
      if (error instanceof Refusal) throw error;
      throw new Refusal({ type: 'api_connection_error', message: `The local Stripe does not answer: ${error.message}` });
    }
  }
}

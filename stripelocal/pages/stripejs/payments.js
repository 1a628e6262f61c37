// Confirming payments and setups.

const payment = { object: 'payment_intent', path: 'payment_intents', result: 'paymentIntent' };
const setup = { object: 'setup_intent', path: 'setup_intents', result: 'setupIntent' };

const kindOf = (secret) => (String(secret).startsWith('seti_') ? setup : payment);

function pathOf(kind, secret, call) {
  if (!/^(pi|seti)_\w+_secret_\w+$/.test(secret)) {
    throw new IntegrationError(`Invalid value for ${call} intent secret: value should be a client secret of the form \${id}_secret_\${secret}. You specified: ${secret}.`);
  }
  return `${kind.path}/${secret.split('_secret_')[0]}`;
}

const retrieve = (api, kind, secret, call) => api.call('GET', pathOf(kind, secret, call), { client_secret: secret });

// Shows the page that stands in for the bank's 3-D Secure page, until it has been answered.
function authenticate(page, retrieveIntent) {
  const dialog = document.createElement('dialog');
  const frame = createFrame(`${page}?framed`, '3D Secure authentication');
  dialog.style.cssText = 'width: min(37.5rem, calc(100vw - 2rem)); max-width: none; padding: 0; border: 0; border-radius: 12px; overflow: hidden;';
  Object.assign(frame.style, { height: window.innerWidth < 480 ? '24rem' : '18rem', maxHeight: '80vh' });
  dialog.append(frame);
  dialog.addEventListener('cancel', (event) => event.preventDefault());
  const answered = new Promise((resolve, reject) => {
    frame.addEventListener('load', async () => {
      try {
        const intent = await retrieveIntent();
        if (intent.status !== 'requires_action') resolve(intent);
      } catch (error) {
        reject(error);
      }
    });
  });
  document.body.append(dialog);
  dialog.showModal();
  return answered.finally(() => dialog.remove());
}

const never = new Promise(() => {});

function goTo(address) {
  window.location.assign(address);
  return never;
}

// Carries out what an intent requires and returns the intent after it.
async function handleAction(api, kind, intent) {
  if (intent.status !== 'requires_action') return intent;
  const action = intent.next_action;
  if (action.type === 'redirect_to_url') return goTo(action.redirect_to_url.url);
  if (action.type !== 'use_stripe_sdk') throw unsupported(`the next action ${action.type}`);
  const after = await authenticate(action.use_stripe_sdk.stripe_js, () => retrieve(api, kind, intent.client_secret));
  const error = after.last_payment_error ?? after.last_setup_error;
  if (error) throw new Refusal({ ...error, [kind.object]: after });
  return after;
}

async function confirmIntent(api, kind, secret, params, handleActions = true) {
  const intent = await api.call('POST', `${pathOf(kind, secret)}/confirm`, { ...params, client_secret: secret, use_stripe_sdk: true });
  return handleActions ? handleAction(api, kind, intent) : intent;
}

// The id of the payment method of confirmCardPayment() and confirmCardSetup(), if there is one.
async function cardMethod(api, data) {
  if (data === undefined || typeof data === 'string') return data;
  return (await createCardMethod(api, { type: 'card', ...data })).id;
}

function createCardMethod(api, { card, ...params }) {
  if (card instanceof StripeElement) return card.create('payment_methods', params);
  return api.call('POST', 'payment_methods', { card, ...params });
}

function elementMethod(element, data = {}) {
  const billing = { ...element.options.defaultValues?.billingDetails, ...data.billing_details };
  return element.create('payment_methods', { ...data, type: 'card', billing_details: billing });
}

async function confirmCard(api, kind, call, secret, { payment_method: method, ...params } = {}, { handleActions = true } = {}) {
  pathOf(kind, secret, call);
  return resultOf(kind.result, (async () => confirmIntent(api, kind, secret, { ...params, payment_method: await cardMethod(api, method) }, handleActions))());
}

// confirmPayment() and confirmSetup()
async function confirmElements(api, kind, call, options) {
  allowOnly(`${call}()`, options, ['elements', 'clientSecret', 'confirmParams', 'redirect']);
  const { elements, confirmParams = {}, redirect = 'always' } = options;
  const secret = options.clientSecret ?? elements?.options.clientSecret;
  if (!secret) throw new IntegrationError(`You must pass in a clientSecret when calling ${call}().`);
  pathOf(kind, secret, call);
  if (redirect === 'always' && !confirmParams.return_url) throw new IntegrationError(`${call}(): the \`confirmParams.return_url\` argument is required unless \`redirect\` is 'if_required'.`);
  const element = elements?.paymentElement(call);
  if (elements?.options.mode && !elements.submitted) throw new IntegrationError(`elements.submit() must be called before ${call}().`);
  const { payment_method_data: data, ...params } = confirmParams;
  const result = await resultOf(kind.result, (async () => {
    if (element) params.payment_method = (await elementMethod(element, data)).id;
    return confirmIntent(api, kind, secret, params);
  })());
  if (result.error || redirect !== 'always') return result;
  const address = new URL(confirmParams.return_url, window.location.href);
  address.searchParams.set(kind.object, result[kind.result].id);
  address.searchParams.set(`${kind.object}_client_secret`, secret);
  address.searchParams.set('redirect_status', 'succeeded');
  return goTo(address);
}

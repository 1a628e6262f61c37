// Embedded Checkout, and what Stripe() returns.

// Checkout in a frame, until the session is complete.
class EmbeddedCheckout {
  constructor(api, id, onComplete) {
    Object.assign(this, { api, id, onComplete });
  }

  mount(target) {
    const parent = find(target, 'mount');
    this.frame = createFrame(`${origin}/c/pay/${this.id}`, 'Secure checkout');
    this.frame.style.height = 'min(60rem, 100vh)';
    this.frame.addEventListener('load', () => this.#leave());
    parent.replaceChildren(this.frame);
  }

  async #leave() {
    const session = await this.api.call('GET', `payment_pages/${this.id}`, {});
    if (session.status !== 'complete') return;
    if (session.redirect_on_completion === 'always') goTo(session.return_url.replaceAll('{CHECKOUT_SESSION_ID}', this.id));
    else this.onComplete?.();
  }

  unmount() { this.frame?.remove(); }

  destroy() { this.unmount(); }
}

async function embedCheckout(api, call, options) {
  allowOnly(`${call}()`, options, ['clientSecret', 'fetchClientSecret', 'onComplete']);
  const secret = options.clientSecret ?? await options.fetchClientSecret?.();
  if (!/^cs_\w+_secret_\w+$/.test(secret)) throw new IntegrationError(`Invalid value for ${call}(): the client secret should be that of a Checkout Session whose ui_mode is embedded. You specified: ${secret}.`);
  return new EmbeddedCheckout(api, secret.split('_secret_')[0], options.onComplete);
}

class StripeInstance {
  #api;

  constructor(key, options) {
    this.#api = new API(key, options.apiVersion ?? apiVersions[release]);
  }

  elements(options = {}) { return new Elements(this.#api, { ...options }); }

  confirmPayment(options) { return confirmElements(this.#api, payment, 'stripe.confirmPayment', options); }

  confirmSetup(options) { return confirmElements(this.#api, setup, 'stripe.confirmSetup', options); }

  confirmCardPayment(secret, data, options) { return confirmCard(this.#api, payment, 'stripe.confirmCardPayment', secret, data, options); }

  confirmCardSetup(secret, data, options) { return confirmCard(this.#api, setup, 'stripe.confirmCardSetup', secret, data, options); }

  retrievePaymentIntent(secret) { return resultOf(payment.result, retrieve(this.#api, payment, secret, 'stripe.retrievePaymentIntent')); }

  retrieveSetupIntent(secret) { return resultOf(setup.result, retrieve(this.#api, setup, secret, 'stripe.retrieveSetupIntent')); }

  handleCardAction(secret) { return this.#handleAction(payment, secret, 'stripe.handleCardAction'); }

  handleNextAction({ clientSecret }) {
    return this.#handleAction(kindOf(clientSecret), clientSecret, 'stripe.handleNextAction');
  }

  #handleAction(kind, secret, call) {
    return resultOf(kind.result, (async () => handleAction(this.#api, kind, await retrieve(this.#api, kind, secret, call)))());
  }

  async createPaymentMethod(options) {
    const { elements, params, type, ...rest } = options;
    if (elements) return resultOf('paymentMethod', elementMethod(elements.paymentElement('stripe.createPaymentMethod'), params));
    if (type !== 'card') throw unsupported(`stripe.createPaymentMethod() of the type ${type}`);
    return resultOf('paymentMethod', createCardMethod(this.#api, { type, ...rest }));
  }

  async createToken(element, data = {}) {
    if (!(element instanceof StripeElement)) throw unsupported(`stripe.createToken('${element}')`);
    return resultOf('token', element.create('tokens', { card: data }));
  }

  async redirectToCheckout(options) {
    if (isSince('clover')) throw new IntegrationError('stripe.redirectToCheckout() was removed with clover. Redirect to the url of the Checkout Session.');
    allowOnly('stripe.redirectToCheckout()', options, ['sessionId']);
    return goTo(`${origin}/c/pay/${options.sessionId}`);
  }

  async initEmbeddedCheckout(options) {
    if (isSince('dahlia')) throw new IntegrationError('stripe.initEmbeddedCheckout() was renamed with dahlia. Call stripe.createEmbeddedCheckoutPage().');
    return embedCheckout(this.#api, 'stripe.initEmbeddedCheckout', options);
  }

  async createEmbeddedCheckoutPage(options) {
    if (!isSince('dahlia')) throw new IntegrationError('stripe.createEmbeddedCheckoutPage() came with dahlia. Call stripe.initEmbeddedCheckout().');
    return embedCheckout(this.#api, 'stripe.createEmbeddedCheckoutPage', options);
  }
}

// The other documented methods. A call names the method instead of being a TypeError.
const others = [
  'collectBankAccountForPayment', 'collectBankAccountForSetup', 'collectBankAccountToken', 'collectFinancialConnectionsAccounts',
  'confirmAcssDebitPayment', 'confirmAcssDebitSetup', 'confirmAffirmPayment', 'confirmAfterpayClearpayPayment', 'confirmAlipayPayment',
  'confirmAuBecsDebitPayment', 'confirmAuBecsDebitSetup', 'confirmBacsDebitSetup', 'confirmBancontactPayment', 'confirmBancontactSetup',
  'confirmBlikPayment', 'confirmBoletoPayment', 'confirmBoletoSetup', 'confirmCashappPayment', 'confirmCashappSetup',
  'confirmCustomerBalancePayment', 'confirmEpsPayment', 'confirmFpxPayment', 'confirmGiropayPayment', 'confirmGrabPayPayment',
  'confirmIdealPayment', 'confirmIdealSetup', 'confirmKlarnaPayment', 'confirmKonbiniPayment', 'confirmMobilepayPayment',
  'confirmMultibancoPayment', 'confirmOxxoPayment', 'confirmP24Payment', 'confirmPayPalPayment', 'confirmPayPalSetup',
  'confirmPayNowPayment', 'confirmPixPayment', 'confirmPromptPayPayment', 'confirmSepaDebitPayment', 'confirmSepaDebitSetup',
  'confirmSofortPayment', 'confirmSofortSetup', 'confirmTwintPayment', 'confirmUsBankAccountPayment', 'confirmUsBankAccountSetup',
  'confirmWechatPayPayment', 'confirmPaymentIntent', 'confirmSetupIntent', 'createConfirmationToken', 'createEphemeralKeyNonce',
  'createRadarSession', 'createSource', 'handleCardPayment', 'handleCardSetup', 'handleFpxPayment',
  'initCheckout', 'initCheckoutElementsSdk', 'paymentRequest', 'processOrder', 'retrieveOrder', 'retrieveSource',
  'verifyIdentity', 'verifyMicrodepositsForPayment', 'verifyMicrodepositsForSetup',
];
for (const name of others) StripeInstance.prototype[name] = () => { throw unsupported(`stripe.${name}()`); };

window.Stripe = function Stripe(key, options = {}) {
  if (typeof key !== 'string' || !key.startsWith('pk_test_')) {
    throw new IntegrationError(/^[sr]k_/.test(key) ? 'You should not use your secret key with Stripe.js. Please pass a publishable key instead.'
      : 'This local Stripe takes publishable keys that begin with pk_test_.');
  }
  allowOnly('Stripe()', options, ['apiVersion', 'locale', 'betas', 'developerTools', 'advancedFraudSignals']);
  return new StripeInstance(key, options);
};
window.Stripe.version = release === 'v3' ? 3 : release;

package stripegw

import "github.com/stripe/stripe-go/v79"

// APIVersion is the Stripe API version of this package's requests and parsers.
const APIVersion = stripe.APIVersion

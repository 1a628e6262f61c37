package stripegw

import "github.com/stripe/stripe-go/v79"

// APIVersion is the version of Stripe's API that this package speaks and whose shapes it reads.
const APIVersion = stripe.APIVersion

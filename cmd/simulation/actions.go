package main

// action is a step of a history.
type action struct {
	name string
	do   func(*history)
}

// randomActions are picked by index: their number and order are part of what a seed means.
var randomActions = []action{
	{"change a membership", (*history).changeMembership},
	{"change a membership", (*history).changeMembership},
	{"change a membership", (*history).changeMembership},
	{"change a membership", (*history).changeMembership},
	{"sell a second plan", (*history).sellSecondPlan},
	{"pay two Checkouts", (*history).payTwoCheckouts},
	{"two admins subscribe", (*history).subscribeTogether},
	{"tamper with session ids", (*history).tamperWithSessions},
	{string(deleteOrganization), (*history).deleteOrganization},
	performed(cancelPlan),
	performed(resumePlan),
	{"buy a pack", (*history).buyPack},
	performed(refreshSubscription),
	performed(retrySeatSync),
	performed(undoSeatChange),
	performed(reconcileOrganization),
	atStripe("change the quantity", changeQuantity),
	atStripe("change the quantity often", changeQuantityOften),
	atStripe("switch the plan", switchPlan),
	atStripe("cancel at period end", cancelAtPeriodEnd),
	atStripe("resume", resume),
	toggleCancellationRepeatedly,
	atStripe("end the subscription", endSubscription),
	atStripe("change the card", changeCard),
	atStripe("refund", refund),
	{"delete the customer", (*history).deleteCustomer},
	{"add a foreign subscription", (*history).addForeignSubscription},
	{"add a foreign subscription during Checkout", (*history).addForeignSubscriptionDuringCheckout},
	{"end a foreign subscription", (*history).endForeignSubscription},
	{"sell a plan by API", (*history).sellPlanByAPI},
	atStripe("give another trial", giveAnotherTrial),
	atStripe("add a foreign item", addForeignItem),
	atStripe("switch to any plan", switchToAnyPlan),
	atStripe("switch to any plan", switchToAnyPlan),
	atStripe("credit the invoice", creditInvoice),
	{"credit the customer's balance", (*history).creditBalance},
	{"change the plan", (*history).changePlan},
	{"change the plan", (*history).changePlan},
	{"change the plan", (*history).changePlan},
	performed(keepPlan),
	{"change seats", (*history).changeSeats},
	{"change seats of a plan", (*history).changeSeatsOfPlan},
	{"change seats of a plan", (*history).changeSeatsOfPlan},
	{"change seats of a plan", (*history).changeSeatsOfPlan},
	{"change seats of a plan", (*history).changeSeatsOfPlan},
	{"change seats of a plan", (*history).changeSeatsOfPlan},
	{"change seats of a plan", (*history).changeSeatsOfPlan},
	atStripe("add a discount", addDiscount),
	atStripe("add a discount", addDiscount),
	atStripe("remove the discount", removeDiscount),
	atStripe("add a discount before a downgrade", downgradeWithDiscount),
	atStripe("add a discount before a downgrade", downgradeWithDiscount),
}

// Actions of the final scenarios.
var (
	toggleBillable               = action{"toggle a member's billing", (*history).toggleBillable}
	toggleCancellation           = action{"toggle cancellation at Stripe", (*history).toggleCancellation}
	toggleCancellationRepeatedly = atStripe("toggle cancellation repeatedly", setCancellationRepeatedly)
)

// performed returns the action of performing an operation that needs no arguments.
func performed(kind operationKind) action {
	return action{string(kind), func(h *history) { h.perform(operation{Kind: kind}) }}
}

// atStripe returns an action on the organization's subscription at Stripe, if it has one.
func atStripe(name string, do func(*history, stripeObjects)) action {
	return action{name + " at Stripe", func(h *history) {
		if objects := h.stripeObjects(); objects.subscription != "" {
			do(h, objects)
		}
	}}
}

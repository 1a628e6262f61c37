package stripelocal

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
)

const (
	// testDebitDelay is how long the debit of a test account takes, in seconds (docs: test
	// transactions settle instantly; the time is inferred).
	testDebitDelay = 5
	// delayedDebit is how long the debits of some test accounts take, in seconds (docs: at least
	// three minutes).
	delayedDebit = 3 * 60
)

// testAccount is what happens to debits of a test bank account.
type testAccount struct {
	number          string
	token           string // of a US account: pm_usBankAccount_… without the prefix
	decline         *Decline
	delay           int64 // until the debit ends, in seconds
	endless         bool  // the debit never ends
	disputed        bool
	noMicrodeposits bool // no microdeposits can be sent to it
}

// usTestAccounts are the test accounts of us_bank_account (docs: ACH Direct Debit, test account
// numbers). The codes are those of the API reference that match (inferred); the messages are
// inferred.
func usTestAccounts() []testAccount {
	return []testAccount{
		{number: "000123456789", token: "success", delay: testDebitDelay},
		{number: "000111111113", token: "accountClosed", delay: testDebitDelay, decline: debitDecline("account_closed", "The customer's bank account has been closed.")},
		{number: "000111111116", token: "noAccount", delay: testDebitDelay, decline: debitDecline("no_account", "The customer's bank account could not be located.")},
		{number: "000222222227", token: "insufficientFunds", delay: testDebitDelay, decline: insufficientFunds()},
		{number: "000333333335", token: "debitNotAuthorized", delay: testDebitDelay, decline: debitDecline("debit_not_authorized", "The customer has notified their bank that this payment was unauthorized.")},
		{number: "000444444440", token: "invalidCurrency", delay: testDebitDelay, decline: debitDecline("payment_method_currency_mismatch", "The currency of the payment does not match that of the bank account.")},
		{number: "000666666661", token: "failMicrodeposits", delay: testDebitDelay, noMicrodeposits: true},
		{number: "000555555559", token: "dispute", delay: testDebitDelay, disputed: true},
		{number: "000000000009", token: "processing", endless: true},
		{number: "000777777771", token: "weeklyLimitExceeded", delay: testDebitDelay, decline: debitDecline("charge_exceeds_source_limit", "This payment exceeds the weekly payment volume limit of the bank account.")},
	}
}

func insufficientFunds() *Decline {
	return debitDecline("insufficient_funds", "The customer's account has insufficient funds to cover this payment.")
}

func debitDecline(code, message string) *Decline { return &Decline{Code: code, Message: message} }

// usTestAccount returns the test account with a number.
func usTestAccount(number string) (testAccount, bool) {
	return findAccount(func(a testAccount) bool { return a.number == number })
}

// usTestAccountByToken returns the test account of a test payment method such as
// pm_usBankAccount_success.
func usTestAccountByToken(token string) (testAccount, bool) {
	name, ok := strings.CutPrefix(token, "pm_usBankAccount_")
	if !ok {
		return testAccount{}, false
	}
	return findAccount(func(a testAccount) bool { return a.token == name })
}

func findAccount(matches func(testAccount) bool) (testAccount, bool) {
	all := usTestAccounts()
	n := slices.IndexFunc(all, matches)
	if n < 0 {
		return testAccount{}, false
	}
	return all[n], true
}

// sepaScenarios are the scenarios of sepaTestAccounts, in the order of the numbers.
var sepaScenarios = []string{"success", "successDelayed", "failed", "failedDelayed", "disputed"}

// sepaTestAccounts are the test IBANs by country (docs: SEPA Direct Debit, test IBANs; those of
// Italy from the triggers of Stripe's command line tool).
var sepaTestAccounts = map[string][]string{
	"AT": {"AT611904300234573201", "AT321904300235473204", "AT861904300235473202", "AT051904300235473205", "AT591904300235473203"},
	"BE": {"BE62510007547061", "BE78510007547064", "BE68539007547034", "BE51510007547065", "BE08510007547063"},
	"CH": {"CH9300762011623852957", "CH8656663438253651553", "CH5362200119938136497", "CH1843597160341964438", "CH1260378413965193069"},
	"DE": {"DE89370400440532013000", "DE08370400440532013003", "DE62370400440532013001", "DE78370400440532013004", "DE35370400440532013002"},
	"EE": {"EE382200221020145685", "EE222200221020145682", "EE762200221020145680", "EE922200221020145683", "EE492200221020145681"},
	"ES": {"ES0700120345030000067890", "ES2300120345030000067893", "ES9121000418450200051332", "ES9300120345030000067894", "ES5000120345030000067892"},
	"FI": {"FI2112345600000785", "FI3712345600000788", "FI9112345600000786", "FI1012345600000789", "FI6412345600000787"},
	"FR": {"FR1420041010050500013M02606", "FR3020041010050500013M02609", "FR8420041010050500013M02607", "FR7920041010050500013M02600", "FR5720041010050500013M02608"},
	"GB": {"GB82WEST12345698765432", "GB98WEST12345698765435", "GB55WEST12345698765433", "GB71WEST12345698765436", "GB28WEST12345698765434"},
	"HR": {"HR7624020064583467589", "HR6323600002337876649", "HR2725000096983499248", "HR6723600004878117427", "HR8724840081455523553"},
	"IE": {"IE29AIBK93115212345678", "IE24AIBK93115212345671", "IE02AIBK93115212345679", "IE94AIBK93115212345672", "IE51AIBK93115212345670"},
	"IT": {"", "", "IT60X0542811101000000123456", "", ""},
	"LT": {"LT121000011101001000", "LT281000011101001003", "LT821000011101001001", "LT981000011101001004", "LT551000011101001002"},
	"LU": {"LU280019400644750000", "LU440019400644750003", "LU980019400644750001", "LU170019400644750004", "LU710019400644750002"},
	"NL": {"NL39RABO0300065264", "NL55RABO0300065267", "NL91ABNA0417164300", "NL28RABO0300065268", "NL82RABO0300065266"},
	"NO": {"NO9386011117947", "NO8886011117940", "NO6686011117948", "NO6186011117941", "NO3986011117949"},
	"PT": {"PT50000201231234567890154", "PT66000201231234567890157", "PT23000201231234567890155", "PT39000201231234567890158", "PT93000201231234567890156"},
	"SE": {"SE3550000000054910000003", "SE5150000000054910000006", "SE0850000000054910000004", "SE2450000000054910000007", "SE7850000000054910000005"},
}

// sepaTestAccount is what happens to the debits of an IBAN. The limits have the same last digits in
// every country. An IBAN that is no test IBAN is debited with success (inferred).
func sepaTestAccount(iban string) testAccount {
	a := testAccount{number: iban, delay: testDebitDelay}
	for suffix, decline := range map[string]*Decline{
		"343434":  debitDecline("charge_exceeds_source_limit", "This payment exceeds the weekly payment volume limit of the bank account."),
		"121212":  debitDecline("charge_exceeds_weekly_limit", "This payment exceeds the transaction volume limit of the bank account."),
		"2222227": insufficientFunds(),
	} {
		if strings.HasSuffix(iban, suffix) {
			a.decline = decline
		}
	}
	switch scenario(iban) {
	case "successDelayed":
		a.delay = delayedDebit
	case "failed":
		a.decline = failedDebit()
	case "failedDelayed":
		a.delay, a.decline = delayedDebit, failedDebit()
	case "disputed":
		a.disputed = true
	}
	return a
}

// failedDebit is the failure of a SEPA debit without a reason (inferred).
func failedDebit() *Decline {
	return debitDecline("payment_intent_payment_attempt_failed", "The payment failed.")
}

func scenario(iban string) string {
	if n := slices.Index(sepaTestAccounts[iban[:2]], iban); n >= 0 {
		return sepaScenarios[n]
	}
	return ""
}

// sepaTestAccountByToken returns the IBAN of a test payment method such as
// pm_sepaDebit_success_de.
func sepaTestAccountByToken(token string) (string, bool) {
	name, ok := strings.CutPrefix(token, "pm_sepaDebit_")
	name, country, _ := strings.Cut(name, "_")
	n := slices.Index(sepaScenarios, name)
	accounts := sepaTestAccounts[strings.ToUpper(country)]
	if !ok || n < 0 || len(accounts) == 0 {
		return "", false
	}
	return accounts[n], accounts[n] != ""
}

// ibanForm is where an IBAN of a country has its bank and branch codes, as lengths after the
// first four characters, and how long it is (ISO 13616).
type ibanForm struct{ length, skip, bank, branch int }

var ibanForms = map[string]ibanForm{
	"AT": {20, 0, 5, 0}, "BE": {16, 0, 3, 0}, "CH": {21, 0, 5, 0}, "CY": {28, 0, 3, 5}, "CZ": {24, 0, 4, 0}, "DE": {22, 0, 8, 0},
	"DK": {18, 0, 4, 0}, "EE": {20, 0, 2, 2}, "ES": {24, 0, 4, 4}, "FI": {18, 0, 3, 0}, "FR": {27, 0, 5, 5}, "GB": {22, 0, 4, 6},
	"GI": {23, 0, 4, 0}, "GR": {27, 0, 3, 4}, "HR": {21, 0, 7, 0}, "HU": {28, 0, 3, 4}, "IE": {22, 0, 4, 6}, "IS": {26, 0, 4, 0},
	"IT": {27, 1, 5, 5}, "LI": {21, 0, 5, 0}, "LT": {20, 0, 5, 0}, "LU": {20, 0, 3, 0}, "LV": {21, 0, 4, 0}, "MC": {27, 0, 5, 5},
	"MT": {31, 0, 4, 5}, "NL": {18, 0, 4, 0}, "NO": {15, 0, 4, 0}, "PL": {28, 0, 3, 5}, "PT": {25, 0, 4, 4}, "RO": {24, 0, 4, 0},
	"SE": {24, 0, 3, 0}, "SI": {19, 0, 5, 0}, "SK": {24, 0, 4, 0},
}

// bankAndBranch are the codes in an IBAN.
func bankAndBranch(iban string) (bank, branch string) {
	form := ibanForms[iban[:2]]
	start := 4 + form.skip
	return iban[start : start+form.bank], iban[start+form.bank : start+form.bank+form.branch]
}

// normalizeIBAN removes spaces and makes letters upper case.
func normalizeIBAN(s string) string { return strings.ToUpper(strings.ReplaceAll(s, " ", "")) }

// validIBAN checks the country, the length and the check digits (ISO 7064, mod 97-10).
func validIBAN(iban string) bool {
	if len(iban) < 4 || ibanForms[iban[:2]].length != len(iban) {
		return false
	}
	var digits strings.Builder
	for _, r := range iban[4:] + iban[:4] {
		switch {
		case r >= '0' && r <= '9':
			digits.WriteRune(r)
		case r >= 'A' && r <= 'Z':
			digits.WriteString(strconv.Itoa(int(r-'A') + 10))
		default:
			return false
		}
	}
	n, ok := new(big.Int).SetString(digits.String(), 10)
	return ok && n.Mod(n, big.NewInt(97)).Int64() == 1
}

// Package env holds what domain code needs from its environment: clock, randomness, log, and ids,
// back-off and jobs made from them. Tests inject a fixed clock and a deterministic reader.
//
// It contains no rules and no storage. Packages billing, account, mail and webhook embed [Env];
// others pass clock, randomness and log to billing.New. It imports only package job. Start reading
// at [Env].
package env

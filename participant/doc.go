// Package participant stands for the systems that market parties already have:
// DERMS, market systems, head-ends. Its folders hold samples of them: market
// sets a small market up and trades on it, villain attacks it.
//
// Samples use what any customer has, a gateway's API and the public servers;
// they import no system's inside.
package participant

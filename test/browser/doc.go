// Package browser walks through the console of a running spine with a headless
// Chromium, as a person would: what a visitor sees, how many clicks it takes,
// whether it is accessible, and that nothing but the gateway is asked for
// anything.
//
// Without Chromium the tests are skipped. With SPINE_SCREENSHOTS=DIR a picture
// of each page, in both themes and at two widths, is written there.
package browser

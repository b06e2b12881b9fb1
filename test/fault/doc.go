// Package fault kills what runs, without warning and at random moments, and
// looks afterwards whether everything that was promised still holds; or asks it
// to stop, and looks whether anything is left behind. It holds tests only.
//
// SPINE_TEST_SEED repeats the moments of an earlier run as far as the machine
// lets it; every test prints its seed.
package fault

package httpapi

// eventCodes are what this gateway notices: the events of docs/protocol.md
// section 18, and what of its own expires.
var eventCodes = []code{
	{"hole", warning, "Messages are missing", "Messages of a partner were lost on the way. They are asked for again.", "Nothing, if a repair follows; else ask whether the partner's gateway runs."},
	{"repaired", info, "Missing messages came", "Messages that were missing have been sent again and are complete.", ""},
	{"gap", grave, "Messages passed over", "Missing messages did not come in time; what came after them was handed over first.", "Look whether they come late; else ask the partner to send them again."},
	{"late", info, "Late message", "A message that had been passed over has come after all. It is marked as late.", ""},
	{"lost", grave, "Messages are lost", "Missing messages can never come again: their sender does not have them any more.", "Ask the partner to send their content anew."},
	{"out_of_retention", grave, "Asked for too late", "A partner asked for messages that this gateway keeps no longer.", "Send their content anew if the partner needs it."},
	{"lane_reset", warning, "Order begins anew", "A partner began its order of messages anew, as after losing its data.", "Ask the partner whether it lost messages that were to be sent."},
	{"lane_silent", warning, "Nothing heard", "A partner that should have sent a sign of life has not: messages may be held back on the way.", "Ask the partner, and the broker's operator."},
	{"prev_regressed", warning, "Partner went back", "A partner's session refers to an older one than was already seen, as after restoring a backup.", "Ask the partner whether it restored a backup."},
	{"writer_conflict", grave, "Two senders in one name", "Two gateways write as the same instance of a partner, as when one was copied.", "Ask the partner to stop one of them."},
	{"holder_missing", warning, "Partner disappeared", "Somebody who holds a role, or one of their gateways, is not listed any more although nothing says that it ended.", "Tell the hub's or broker's operator: a server may be hiding it."},
	{"package_stale", warning, "Partner's key is old", "A partner has not renewed its key for two days: its gateway may be off, or newer keys are being hidden.", "Ask the partner whether its gateway runs."},
	{"unconfirmed", warning, "No receipt yet", "A message was sent but its recipient has not confirmed it for 15 minutes.", "Ask whether the partner's gateway runs; the message is sent again by itself."},
	{"undelivered", grave, "Not delivered", "A message was not confirmed in all the time that the network keeps it.", "Ask the partner, then send the content anew."},
	{"clock", grave, "Clocks differ", "This gateway's clock differs from that of the hub or broker by more than is allowed.", "Set this machine's clock, such as with NTP."},
	{"certificate_expiring", grave, "Own certificate ends soon", "This gateway's certificate should have been renewed by now. When it ends, nothing can be sent or received.", "Check that broker and chain are reachable, and look at the gateway's log."},
	{"package_old", warning, "Own key was not renewed", "This gateway renews its key for sealing every day, but has not for two days.", "Check that the broker is reachable, and look at the gateway's log."},
	{"role_expiring", warning, "Own role ends soon", "A role of this gateway's DID ends within a week. Partners will refuse its messages then.", "Ask for the role again: POST enrolments."},
}

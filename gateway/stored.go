package gateway

// StoredFile is a file at this gateway as lists show it.
type StoredFile struct {
	File
	Direction string   `json:"direction" enum:"in,out,stored" doc:"in: received; out: sent; stored: uploaded and not sent yet"`
	State     string   `json:"state" enum:"uploading,pushing,pulling,ready" doc:"uploading: the participant is sending it; pushing, pulling: its sealed parts are on their way to or from the broker; ready: all here"`
	Code      string   `json:"code,omitempty" doc:"why it does not go on, such as storage_full"`
	Bytes     int64    `json:"bytes" doc:"bytes of the state that are through"`
	At        int64    `json:"at" doc:"when it was begun or came, ms since 1970"`
	Messages  []string `json:"messages,omitempty" doc:"ids of the messages that carry it, at most the first 100"`
	From      string   `json:"from,omitempty" doc:"DID of the sender of a received file"`
	Channel   string   `json:"channel,omitempty" doc:"channel it came or went on, or shall go on"`
	Cursor    string   `json:"-"`
}

// Uploaded is the answer to a file that was uploaded in one request.
type Uploaded struct {
	File    File      `json:"file"`
	Message *Accepted `json:"message,omitempty" doc:"the message that carries it, where it was to be sent"`
}

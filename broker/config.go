package broker

import "time"

// Config is the configuration of a broker process.
type Config struct {
	Data         string `yaml:"data" default:"./broker-data" doc:"Folder of everything the broker keeps."`
	Listen       string `yaml:"listen" default:"127.0.0.1:0" doc:"Address of the HTTP API; port 0 takes the port of the last run, or a free one."`
	URL          string `yaml:"url" doc:"Base URL as in the network file, without trailing slash; logins must name it. Empty: the network file's, else the address listened on."`
	Network      string `yaml:"network" doc:"Path of the network file."`
	RPC          string `yaml:"rpc" doc:"JSON-RPC endpoint of the chain."`
	Database     string `yaml:"database" doc:"Database, such as sqlite:/path/broker.db. Empty: a SQLite file in the data folder."`
	BlobDir      string `yaml:"blob_dir" doc:"Folder of large bodies and parts of files. Empty: blobs in the data folder."`
	BlobReserve  int64  `yaml:"blob_reserve" default:"268435456" doc:"Bytes of the disk that uploads leave free, for the database and the message bus beside them."`
	AdminKeyFile string `yaml:"admin_key_file" doc:"File with the operator's key; made with mode 0600 when it is missing. Empty: admin.key in the data folder."`
	NATS         NATS   `yaml:"nats" doc:"The embedded message bus."`
	Limits       Limits `yaml:"limits" doc:"What one participant may use."`
}

// NATS configures the embedded message bus.
type NATS struct {
	Listen       string `yaml:"listen" default:"127.0.0.1:0" doc:"Address of the message bus; port 0 takes the port of the last run, or a free one."`
	URL          string `yaml:"url" doc:"URL told to gateways. Empty: the network file's, else the address listened on."`
	SyncInterval string `yaml:"sync_interval" default:"always" doc:"When messages are forced to disk. Anything but always weakens the promise that an accepted message survives power loss."`
	MaxFileStore int64  `yaml:"max_file_store" default:"274877906944" doc:"Bytes all streams may hold together. Reserved by number, not on disk: watch the disk."`
	Partitions   int    `yaml:"partitions" default:"64" doc:"Streams the mailboxes are spread over, 1 to 100. Stored with each mailbox: a change concerns new ones only."`
}

// Limits bound what one participant may use.
type Limits struct {
	Mailboxes       int   `yaml:"mailboxes" default:"50000" doc:"Mailboxes of all participants."`
	LoginsPerMinute int   `yaml:"logins_per_minute" default:"30" doc:"Logins of one DID a minute."`
	WritesPerMinute int   `yaml:"writes_per_minute" default:"120" doc:"Objects one DID may store a minute."`
	ObjectBytes     int64 `yaml:"object_bytes" default:"16777216" doc:"Bytes of objects one DID may keep in the directory."`
	BlobQuota       int64 `yaml:"blob_quota" default:"107374182400" doc:"Bytes of large bodies and parts of files that one DID may have kept at a time."`
	BytesPerSender  int64 `yaml:"bytes_per_sender" default:"2748779069" doc:"Bytes one sender may publish within the retention; above, it is disconnected and refused until older ones count no more."`
	TokenMinutes    int   `yaml:"token_minutes" default:"10" doc:"Lifetime of a login's tokens in minutes."`
}

func (l Limits) withDefaults() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&l.Mailboxes, 50_000)
	def(&l.LoginsPerMinute, 30)
	def(&l.WritesPerMinute, 120)
	def(&l.TokenMinutes, 10)
	if l.ObjectBytes <= 0 {
		l.ObjectBytes = 16 << 20
	}
	if l.BlobQuota <= 0 {
		l.BlobQuota = 100 << 30
	}
	if l.BytesPerSender <= 0 {
		l.BytesPerSender = 256 << 30 / 100
	}
	return l
}

func (l Limits) tokenLife() time.Duration { return time.Duration(l.TokenMinutes) * time.Minute }

package gateway

import (
	"errors"
	"time"
)

// Config is the configuration of one client gateway.
type Config struct {
	Name         string        `yaml:"name" default:"gateway" doc:"name in logs and in the console"`
	Listen       string        `yaml:"listen" default:"127.0.0.1:0" doc:"address of the API; port 0 picks one and keeps it for the next start"`
	Data         string        `yaml:"data" default:"./gateway-data" doc:"folder for the database, the keyring and ready.json"`
	Network      string        `yaml:"network" doc:"path of the network file, the trust roots"`
	RPC          string        `yaml:"rpc" doc:"JSON-RPC endpoint of the chain, of this participant's own choice"`
	Database     string        `yaml:"database" doc:"sqlite:<path>; empty means sqlite in the data folder"`
	Keyring      string        `yaml:"keyring" doc:"path of the encrypted key file; empty means one in the data folder"`
	APIKeyFile   string        `yaml:"api_key_file" doc:"file with the first API key, made when it is missing; empty means api.key in the data folder"`
	DID          string        `yaml:"did" doc:"DID of this participant; empty means the did:ethr of the keyring's own key"`
	Instance     uint64        `yaml:"instance" default:"0" doc:"number of this instance, 0 to 7, of several gateways of one DID"`
	OutboxMax    int64         `yaml:"outbox_max" default:"1000000" doc:"messages that may wait in the outbox"`
	FilesQuota   int64         `yaml:"files_quota" default:"0" doc:"bytes that files may take here; 0 means no limit but the disk's"`
	FilesShare   int64         `yaml:"files_share" default:"68719476736" doc:"bytes that files received from one sender may take here; with a files_quota it is a quarter of that instead"`
	FilesReserve int64         `yaml:"files_reserve" default:"268435456" doc:"bytes of the disk that files leave free, for the database beside them"`
	FilesKeep    time.Duration `yaml:"files_keep" default:"720h" doc:"how long files stay here; received ones stay at least as long as their messages"`
	Poll         time.Duration `yaml:"poll" default:"250ms" doc:"how often the chain's head is asked for"`
}

// Validate checks what the gateway cannot start without.
func (c *Config) Validate() error {
	switch {
	case c.Listen == "":
		return errors.New("listen is missing")
	case c.Data == "":
		return errors.New("data is missing")
	case c.Network == "":
		return errors.New("network is missing")
	case c.RPC == "":
		return errors.New("rpc is missing")
	case c.FilesQuota < 0 || c.FilesShare < 0 || c.FilesKeep < 0 || c.FilesReserve < 0:
		return errors.New("files_quota, files_share, files_keep or files_reserve is negative")
	case c.Instance > 7:
		return errors.New("instance is not within 0 to 7")
	}
	return nil
}

package hub

// Config is the configuration of a hub process.
type Config struct {
	Listen       string `yaml:"listen" default:"127.0.0.1:0" doc:"address to listen on; port 0 picks one and keeps it over restarts"`
	URL          string `yaml:"url" doc:"base URL that clients know the hub by, without trailing slash; default: hub of the network file, else the address listened on"`
	Data         string `yaml:"data" default:"./spine-data/hub" doc:"folder of the hub's files"`
	Database     string `yaml:"database" doc:"sqlite:<file> or postgres://...; default: hub.db in the data folder"`
	Network      string `yaml:"network" doc:"the network file, with the trust roots"`
	RPC          string `yaml:"rpc" doc:"JSON-RPC endpoint of the chain, the hub's own choice"`
	AdminKeyFile string `yaml:"admin_key_file" doc:"file with the operator's key for /api/v1/admin; default: admin.key in the data folder, made when absent"`
	MaxBody      int64  `yaml:"max_body" default:"262144" doc:"bytes of a request's body at most"`
}

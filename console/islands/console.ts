// Entry of the console's own script: seven elements and what all pages share.
// Every page works without it; it makes pages live.
import "./time";
import "./copy";
import "./view";
import "./live";
import "./tail";
import "./map";
import "./plot";
import "./palette";
import "./audience";
import "./upload";

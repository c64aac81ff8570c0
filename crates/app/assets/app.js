// What the pages do beyond what the server rendered. Every page works without it, only less live.
import "./forms.js";
import "./countdown.js";
import "./offers.js";
import "./order.js";
import "./sale.js";

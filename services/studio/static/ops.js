/* The queues are looked at again every five seconds, while somebody sees them. */
setInterval(() => document.hidden || htmx.trigger("#lines", "again"), 5000);

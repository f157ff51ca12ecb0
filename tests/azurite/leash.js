// Ends Azurite when whoever started it has ended, however that happened.
process.stdin.on("end", () => process.exit(0)).resume();

BEGIN TRANSACTION;
CREATE TABLE dead_letters (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        session TEXT NOT NULL,
        id TEXT NOT NULL,
        body BLOB NOT NULL,
        not_before INTEGER,
        reason TEXT NOT NULL,
        deliveries INTEGER NOT NULL,
        at INTEGER NOT NULL
    );
CREATE TABLE heads (
        key TEXT PRIMARY KEY,
        etag INTEGER NOT NULL,
        due_at INTEGER,
        live INTEGER NOT NULL,
        body TEXT NOT NULL
    );
INSERT INTO "heads" VALUES('churn-3484ef73e1',35,1772454680000000,1,'{"schema_version":1,"endpoint":{"subscription":"s","resource_group":"g","workspace":"w","name":"churn"},"generation":3,"turn":30,"rollout":{"id":"churn-3484ef73e1-3","order":{"endpoint":{"subscription":"s","resource_group":"g","workspace":"w","name":"churn"},"deployment":"green","policy":null,"adopt":false,"take_over":false,"create":null,"announced":false,"despite_alerts":[],"who":"anna","why":""},"policy":{"schema":1,"match":{"endpoint":"churn*"},"baseline":"current","ready_within_minutes":30,"stages":[{"smoke":{"requests":"smoke/churn.jsonl"}},{"mirror":{"shortest_minutes":3,"longest_minutes":30,"percent":20}},{"canary":{"shortest_minutes":5,"longest_minutes":60,"weight":5}},{"canary":{"shortest_minutes":5,"longest_minutes":60,"weight":25}},{"canary":{"shortest_minutes":5,"longest_minutes":60,"weight":95}},{"bake":{"shortest_minutes":10,"longest_minutes":120}}],"guards":[{"metric":"error_rate","worse_by_ratio":1.25,"worse_by_points":0.0005,"at_most":null,"severity":"fail","name":null,"kql":null,"prometheus":null,"of":null,"http":null,"method":null},{"metric":"latency_p95","worse_by_ratio":1.5,"worse_by_points":null,"at_most":null,"severity":"hold","name":null,"kql":null,"prometheus":null,"of":null,"http":null,"method":null}],"source":"auto","errors":null,"strict":false,"pace":"fixed","budget":{"failures":40.0,"part_of_minute":0.04},"capacity":"check","on_failure":"roll_back","on_not_measured":"ask","on_no_data":{"hold_minutes":15,"then":"roll_back"},"on_inconclusive":"hold","on_deadline":{"minutes":1440,"then":"roll_back"},"on_newer":"queue_latest","on_changed_in_place":"restart","on_foreign_change":"hold","on_alert":{"roll_back":["Sev0","Sev1","Sev2"],"hold":["Sev3"],"ignore":[],"rules":{}},"alert_memory_minutes":60,"start_on":[]},"policy_name":"churn","minute":60.0,"baseline":"blue","source":"metrics","phase":"measuring","started_at":"2026-03-02T12:26:00Z","phase_since":"2026-03-02T12:26:20Z","stage":1,"recorded":{"live":{"blue":100},"mirror":{}},"before":{"live":{"blue":100},"mirror":{}},"wanted":{"live":{"blue":100},"mirror":{"green":20}},"observed":{"live":{"blue":100},"mirror":{"green":20}},"fingerprints":{"blue":"as created","green":"as created"},"clock":{"ran":0.0,"since":"2026-03-02T12:26:20Z"},"share_since":"2026-03-02T12:26:20Z","shares":[{"since":"2026-03-02T12:26:20Z","percent":20,"stage":"mirror 20 %"}],"evidence_since":"2026-03-02T12:26:05Z","readable_until":"2026-03-02T12:28:00Z","report":{"findings":[{"guard":{"metric":"error_rate","worse_by_ratio":1.25,"worse_by_points":0.0005,"at_most":null,"severity":"fail","name":null,"kql":null,"prometheus":null,"of":null,"http":null,"method":null},"verdict":0,"because":"canary 0 of 596 failed (0 %), baseline 8 of 3020 (0.26 %), same one minute: nothing speaks against it; at most 0.7 points worse (95 %)","canary":{"requests":596,"value":0.0,"bad":0},"baseline":{"requests":3020,"value":0.0026490066225165563,"bad":8},"minutes":1,"evidence":{"kind":"splits","ln_e":-0.5500326706316407,"ln_e_most":-0.5500326706316407,"threshold":3.2188758248682006,"ratio":0.0,"ratio_low":0.0,"ratio_high":3.626152263058728,"phi":1.069113049511022,"excess_bound":0.007,"excess_allowed":0.0010385488316723731,"proved":false,"minutes_used":1,"watermark":"2026-03-02T12:27:00Z","requests_needed":0}},{"guard":{"metric":"latency_p95","worse_by_ratio":1.5,"worse_by_points":null,"at_most":null,"severity":"hold","name":null,"kql":null,"prometheus":null,"of":null,"http":null,"method":null},"verdict":0,"because":"canary p95 48.9 ms, baseline 50.5 ms, same one minute: nothing speaks against it","canary":{"requests":596,"value":48.928000415260435,"bad":null},"baseline":{"requests":3020,"value":50.47819804680487,"bad":null},"minutes":1,"evidence":{"kind":"percentiles","ln_e":-5.638694195495791,"ln_e_most":-5.638694195495791,"threshold":3.2188758248682006,"ratio":0.9692897589151847,"ratio_low":null,"ratio_high":null,"phi":1.0,"excess_bound":null,"excess_allowed":null,"proved":false,"minutes_used":1,"watermark":"2026-03-02T12:27:00Z","requests_needed":0}}]},"hold":null,"asked":null,"rollback":null,"asked_at":"2026-03-02T12:26:05Z","asked_times":0,"deadline_passed":false,"operation":null,"trouble":null},"queued":null,"owed":[],"due_at":"2026-03-02T12:31:20Z","seen":["start green 2026-03-02 12:00:00+00:00","1","start green 2026-03-02 12:26:00+00:00"],"trouble":null,"gone_since":null,"alerts":[],"known":{"blue":"as created","green":"as created"},"entries":11}');
INSERT INTO "heads" VALUES('sweep-f2bc3c221d',28,NULL,0,'{"schema_version":1,"endpoint":{"subscription":"-","resource_group":"-","workspace":"rollout","name":"sweep"},"generation":0,"turn":0,"rollout":null,"queued":null,"owed":[],"due_at":null,"seen":["2026-03-02T12:30:00+00:00","0 late"],"trouble":null,"gone_since":null,"alerts":[],"known":{},"entries":0}');
CREATE TABLE history (
        key TEXT NOT NULL,
        number INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (key, number)
    ) WITHOUT ROWID;
INSERT INTO "history" VALUES('churn-3484ef73e1',1,'{"number":1,"at":"2026-03-02T12:00:00Z","rollout_id":"churn-3484ef73e1-1","event":"StartRequested","event_id":"start green 2026-03-02 12:00:00+00:00","who":"anna","before":"idle","after":"preparing","stage":"smoke","why":"anna starts green against blue under churn","actions":["mark the endpoint as worked on by this installation"],"numbers":{}}');
INSERT INTO "history" VALUES('churn-3484ef73e1',2,'{"number":2,"at":"2026-03-02T12:00:05Z","rollout_id":"churn-3484ef73e1-1","event":"Looked","event_id":"look:churn-3484ef73e1:1:1","who":"rollout","before":"preparing","after":"smoking","stage":"smoke","why":"green is ready","actions":["send smoke/churn.jsonl to green alone"],"numbers":{"seen":{"live":{"blue":100},"mirror":{}},"readable_until":null,"findings":[]}}');
INSERT INTO "history" VALUES('churn-3484ef73e1',3,'{"number":3,"at":"2026-03-02T12:00:05Z","rollout_id":"churn-3484ef73e1-1","event":"SmokeFinished","event_id":"churn-3484ef73e1:1:2:0:answer","who":"rollout","before":"smoking","after":"shifting","stage":"mirror 20 %","why":"all 1 smoke requests were answered as expected","actions":["set traffic to blue 100 %, mirror green 20 %"],"numbers":{}}');
INSERT INTO "history" VALUES('churn-3484ef73e1',4,'{"number":4,"at":"2026-03-02T12:00:20Z","rollout_id":"churn-3484ef73e1-1","event":"Looked","event_id":"look:churn-3484ef73e1:1:3","who":"rollout","before":"shifting","after":"measuring","stage":"mirror 20 %","why":"the endpoint has blue 100 %, mirror green 20 %","actions":[],"numbers":{"seen":{"live":{"blue":100},"mirror":{"green":20}},"readable_until":null,"findings":[]}}');
INSERT INTO "history" VALUES('churn-3484ef73e1',5,'{"number":5,"at":"2026-03-02T12:06:00Z","rollout_id":"churn-3484ef73e1-1","event":"AbortRequested","event_id":"1","who":"anna","before":"measuring","after":"rolling_back","stage":"mirror 20 %","why":"roll back: aborted by anna: wrong model","actions":["set traffic to blue 100 %"],"numbers":{}}');
INSERT INTO "history" VALUES('churn-3484ef73e1',6,'{"number":6,"at":"2026-03-02T12:06:00Z","rollout_id":"churn-3484ef73e1-1","event":"TrafficAccepted","event_id":"churn-3484ef73e1:2:10:0:answer","who":"rollout","before":"rolling_back","after":"rolling_back","stage":"mirror 20 %","why":"Azure accepted blue 100 %","actions":[],"numbers":{"seconds_after_decision":{"request":0.0,"acceptance":0.0}}}');
INSERT INTO "history" VALUES('churn-3484ef73e1',7,'{"number":7,"at":"2026-03-02T12:06:10Z","rollout_id":"churn-3484ef73e1-1","event":"Looked","event_id":"look:churn-3484ef73e1:2:11","who":"rollout","before":"rolling_back","after":"rolled_back","stage":"mirror 20 %","why":"the endpoint has blue 100 % again","actions":[],"numbers":{"seen":{"live":{"blue":100},"mirror":{}},"readable_until":null,"findings":[],"seconds_after_decision":{"request":0.0,"acceptance":0.0,"seen":10.0}}}');
INSERT INTO "history" VALUES('churn-3484ef73e1',8,'{"number":8,"at":"2026-03-02T12:26:00Z","rollout_id":"churn-3484ef73e1-3","event":"StartRequested","event_id":"start green 2026-03-02 12:26:00+00:00","who":"anna","before":"rolled_back","after":"preparing","stage":"smoke","why":"anna starts green against blue under churn","actions":["mark the endpoint as worked on by this installation"],"numbers":{}}');
INSERT INTO "history" VALUES('churn-3484ef73e1',9,'{"number":9,"at":"2026-03-02T12:26:05Z","rollout_id":"churn-3484ef73e1-3","event":"Looked","event_id":"look:churn-3484ef73e1:3:23","who":"rollout","before":"preparing","after":"smoking","stage":"smoke","why":"green is ready","actions":["send smoke/churn.jsonl to green alone"],"numbers":{"seen":{"live":{"blue":100},"mirror":{}},"readable_until":null,"findings":[]}}');
INSERT INTO "history" VALUES('churn-3484ef73e1',10,'{"number":10,"at":"2026-03-02T12:26:05Z","rollout_id":"churn-3484ef73e1-3","event":"SmokeFinished","event_id":"churn-3484ef73e1:3:24:0:answer","who":"rollout","before":"smoking","after":"shifting","stage":"mirror 20 %","why":"all 1 smoke requests were answered as expected","actions":["set traffic to blue 100 %, mirror green 20 %"],"numbers":{}}');
INSERT INTO "history" VALUES('churn-3484ef73e1',11,'{"number":11,"at":"2026-03-02T12:26:20Z","rollout_id":"churn-3484ef73e1-3","event":"Looked","event_id":"look:churn-3484ef73e1:3:25","who":"rollout","before":"shifting","after":"measuring","stage":"mirror 20 %","why":"the endpoint has blue 100 %, mirror green 20 %","actions":[],"numbers":{"seen":{"live":{"blue":100},"mirror":{"green":20}},"readable_until":null,"findings":[]}}');
CREATE TABLE messages (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        session TEXT NOT NULL,
        id TEXT NOT NULL,
        body BLOB NOT NULL,
        not_before INTEGER,
        due_at INTEGER NOT NULL,
        deliveries INTEGER NOT NULL DEFAULT 0,
        lent_until INTEGER
    );
INSERT INTO "messages" VALUES(1,'steps','churn-3484ef73e1','m1',X'7B7D',NULL,1772454660000000,0,NULL);
CREATE TABLE rollouts (
        key TEXT NOT NULL,
        id TEXT NOT NULL,
        ended_at INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (key, id)
    );
INSERT INTO "rollouts" VALUES('churn-3484ef73e1','churn-3484ef73e1-1',1772453170000000,'{"id":"churn-3484ef73e1-1","order":{"endpoint":{"subscription":"s","resource_group":"g","workspace":"w","name":"churn"},"deployment":"green","policy":null,"adopt":false,"take_over":false,"create":null,"announced":false,"despite_alerts":[],"who":"anna","why":""},"policy":{"schema":1,"match":{"endpoint":"churn*"},"baseline":"current","ready_within_minutes":30,"stages":[{"smoke":{"requests":"smoke/churn.jsonl"}},{"mirror":{"shortest_minutes":3,"longest_minutes":30,"percent":20}},{"canary":{"shortest_minutes":5,"longest_minutes":60,"weight":5}},{"canary":{"shortest_minutes":5,"longest_minutes":60,"weight":25}},{"canary":{"shortest_minutes":5,"longest_minutes":60,"weight":95}},{"bake":{"shortest_minutes":10,"longest_minutes":120}}],"guards":[{"metric":"error_rate","worse_by_ratio":1.25,"worse_by_points":0.0005,"at_most":null,"severity":"fail","name":null,"kql":null,"prometheus":null,"of":null,"http":null,"method":null},{"metric":"latency_p95","worse_by_ratio":1.5,"worse_by_points":null,"at_most":null,"severity":"hold","name":null,"kql":null,"prometheus":null,"of":null,"http":null,"method":null}],"source":"auto","errors":null,"strict":false,"pace":"fixed","budget":{"failures":40.0,"part_of_minute":0.04},"capacity":"check","on_failure":"roll_back","on_not_measured":"ask","on_no_data":{"hold_minutes":15,"then":"roll_back"},"on_inconclusive":"hold","on_deadline":{"minutes":1440,"then":"roll_back"},"on_newer":"queue_latest","on_changed_in_place":"restart","on_foreign_change":"hold","on_alert":{"roll_back":["Sev0","Sev1","Sev2"],"hold":["Sev3"],"ignore":[],"rules":{}},"alert_memory_minutes":60,"start_on":[]},"policy_name":"churn","minute":60.0,"baseline":"blue","source":"metrics","phase":"rolled_back","started_at":"2026-03-02T12:00:00Z","phase_since":"2026-03-02T12:06:10Z","stage":1,"recorded":{"live":{"blue":100},"mirror":{}},"before":{"live":{"blue":100},"mirror":{"green":20}},"wanted":{"live":{"blue":100},"mirror":{}},"observed":{"live":{"blue":100},"mirror":{}},"fingerprints":{"blue":"as created","green":"as created"},"clock":{"ran":340.0,"since":null},"share_since":"2026-03-02T12:00:20Z","shares":[{"since":"2026-03-02T12:00:20Z","percent":20,"stage":"mirror 20 %"}],"evidence_since":"2026-03-02T12:00:05Z","readable_until":"2026-03-02T12:03:00Z","report":{"findings":[{"guard":{"metric":"error_rate","worse_by_ratio":1.25,"worse_by_points":0.0005,"at_most":null,"severity":"fail","name":null,"kql":null,"prometheus":null,"of":null,"http":null,"method":null},"verdict":0,"because":"canary 2 of 1198 failed (0.17 %), baseline 7 of 6001 (0.12 %), same two minutes: nothing speaks against it; at most 1 points worse (95 %)","canary":{"requests":1198,"value":0.001669449081803005,"bad":2},"baseline":{"requests":6001,"value":0.0011664722546242292,"bad":7},"minutes":2,"evidence":{"kind":"splits","ln_e":-0.3583797830634896,"ln_e_most":-0.0388783235596768,"threshold":3.2188758248682006,"ratio":1.431194848557119,"ratio_low":0.03668681539765621,"ratio_high":13.750373668054118,"phi":1.1456693245910732,"excess_bound":0.01,"excess_allowed":0.0010205873364265274,"proved":false,"minutes_used":2,"watermark":"2026-03-02T12:02:00Z","requests_needed":0}},{"guard":{"metric":"latency_p95","worse_by_ratio":1.5,"worse_by_points":null,"at_most":null,"severity":"hold","name":null,"kql":null,"prometheus":null,"of":null,"http":null,"method":null},"verdict":0,"because":"canary p95 49.2 ms, baseline 51.1 ms, same two minutes: nothing speaks against it","canary":{"requests":1198,"value":49.171982828634725,"bad":null},"baseline":{"requests":6001,"value":51.12966349196379,"bad":null},"minutes":2,"evidence":{"kind":"percentiles","ln_e":-9.685106979781324,"ln_e_most":-5.66067087041181,"threshold":3.2188758248682006,"ratio":0.9617114502692403,"ratio_low":null,"ratio_high":null,"phi":1.0,"excess_bound":null,"excess_allowed":null,"proved":false,"minutes_used":2,"watermark":"2026-03-02T12:02:00Z","requests_needed":0}}]},"hold":null,"asked":null,"rollback":{"outcome":"aborted","why":"aborted by anna: wrong model","who":"anna","decided_at":"2026-03-02T12:06:00Z","asked_at":"2026-03-02T12:06:00Z","accepted_at":"2026-03-02T12:06:00Z","seen_at":"2026-03-02T12:06:10Z"},"asked_at":"2026-03-02T12:06:00Z","asked_times":0,"deadline_passed":false,"operation":null,"trouble":null}');
CREATE TABLE samples (
        key TEXT NOT NULL,
        source TEXT NOT NULL,
        hour INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (key, source, hour)
    ) WITHOUT ROWID;
INSERT INTO "samples" VALUES('churn-3484ef73e1','metrics',1772445600000000,'{"1772445600000000":{"blue":{"statuses":{"200":2992,"424":3},"latency":{"p50":19.79257472080302,"p90":39.58514944160604,"p95":49.48143680200755,"p99":79.17029888321208}}},"1772445660000000":{"blue":{"statuses":{"200":3030,"424":1},"latency":{"p50":19.76033061002272,"p90":39.52066122004544,"p95":49.4008265250568,"p99":79.04132244009088}}}}');
CREATE TABLE sent (
        queue TEXT NOT NULL,
        id TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (queue, id)
    ) WITHOUT ROWID;
INSERT INTO "sent" VALUES('steps','m1',1772454660000000);
CREATE INDEX heads_due ON heads (due_at, key) WHERE due_at IS NOT NULL;
CREATE INDEX heads_live ON heads (live, key);
CREATE INDEX rollouts_ended ON rollouts (ended_at);
CREATE INDEX messages_due ON messages (queue, due_at, sequence);
CREATE INDEX messages_lent ON messages (queue, lent_until) WHERE lent_until IS NOT NULL;
CREATE INDEX sessions_lent ON messages (queue, session) WHERE lent_until IS NOT NULL;
CREATE INDEX sent_at ON sent (at);
CREATE INDEX dead_letters_id ON dead_letters (queue, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('messages',1);
COMMIT;
PRAGMA user_version = 1;

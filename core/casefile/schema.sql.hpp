// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The SQL of a case file: tables, the triggers that keep the chain
/// append-only, and the views that answer a reviewer. SCHEMA.md explains every
/// column.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace impound::sql {

/// "IMPD" as a big-endian number: file(1) and we know a case file by it.
inline constexpr std::int32_t kApplicationId = 0x494D5044;
inline constexpr std::int32_t kUserVersion = 3;

/// One statement; SQLite keeps its text, so that verify can compare it.
struct SchemaObject {
  std::string_view name;
  std::string_view sql;
};

inline constexpr std::array kTables{
    SchemaObject{"custody",
                 "CREATE TABLE custody("
                 "seq INTEGER PRIMARY KEY, "
                 "line TEXT NOT NULL, "
                 "signature TEXT NOT NULL) STRICT"},
    SchemaObject{"heads",
                 "CREATE TABLE heads("
                 "size INTEGER PRIMARY KEY, "
                 "note TEXT NOT NULL, "
                 "frontier TEXT NOT NULL, "
                 "signed_at TEXT NOT NULL) STRICT"},
    SchemaObject{"journal",
                 "CREATE TABLE journal("
                 "run TEXT NOT NULL, "
                 "n INTEGER NOT NULL, "
                 "call_sha256 TEXT NOT NULL, "
                 "call TEXT NOT NULL, "
                 "answer TEXT NOT NULL, "
                 "PRIMARY KEY(run, n)) STRICT"},
};

inline constexpr std::array kTriggers{
    SchemaObject{"custody_no_update",
                 "CREATE TRIGGER custody_no_update BEFORE UPDATE ON custody "
                 "BEGIN SELECT RAISE(ABORT, "
                 "'a custody entry is never changed'); END"},
    SchemaObject{"custody_no_delete",
                 "CREATE TRIGGER custody_no_delete BEFORE DELETE ON custody "
                 "BEGIN SELECT RAISE(ABORT, "
                 "'a custody entry is never deleted'); END"},
    SchemaObject{"custody_contiguous",
                 "CREATE TRIGGER custody_contiguous BEFORE INSERT ON custody "
                 "WHEN NEW.seq IS NOT "
                 "(SELECT coalesce(max(seq), 0) + 1 FROM custody) "
                 "BEGIN SELECT RAISE(ABORT, "
                 "'a custody entry follows the last one'); END"},
    SchemaObject{"heads_no_update",
                 "CREATE TRIGGER heads_no_update BEFORE UPDATE ON heads "
                 "BEGIN SELECT RAISE(ABORT, "
                 "'a signed head is never changed'); END"},
    SchemaObject{"heads_no_delete",
                 "CREATE TRIGGER heads_no_delete BEFORE DELETE ON heads "
                 "BEGIN SELECT RAISE(ABORT, "
                 "'a signed head is never deleted'); END"},
    SchemaObject{"heads_whole_chain",
                 "CREATE TRIGGER heads_whole_chain BEFORE INSERT ON heads "
                 "WHEN NEW.size IS NOT (SELECT max(seq) FROM custody) "
                 "BEGIN SELECT RAISE(ABORT, "
                 "'a head is signed over the whole chain'); END"},
    SchemaObject{"journal_no_delete",
                 "CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal "
                 "BEGIN SELECT RAISE(ABORT, "
                 "'a journal row is never deleted'); END"},
    SchemaObject{"journal_answer_once",
                 "CREATE TRIGGER journal_answer_once BEFORE UPDATE ON journal "
                 "WHEN OLD.answer <> '' OR NEW.run <> OLD.run "
                 "OR NEW.n <> OLD.n OR NEW.call <> OLD.call "
                 "OR NEW.call_sha256 <> OLD.call_sha256 "
                 "BEGIN SELECT RAISE(ABORT, "
                 "'a journal row is answered once'); END"},
};

// Views. json_extract over `line` and nothing else: whatever a view says, a
// reader can find the words of it in an entry. Each view parses each line once;
// an index over json_extract is not to be had with TRUSTED_SCHEMA off, where
// Debian 12's SQLite (3.40) holds the JSON functions for unsafe in a schema.

inline constexpr std::string_view kTimeline =
    "CREATE VIEW timeline AS SELECT seq,"
    " json_extract(line,'$.ts') AS at,"
    " json_extract(line,'$.recorded_at') AS recorded_at,"
    " json_extract(line,'$.actor.name') AS who,"
    " json_extract(line,'$.action') AS action,"
    " coalesce(json_extract(line,'$.item'),'') AS item,"
    " coalesce(json_extract(line,'$.run'),'') AS run,"
    " coalesce(json_extract(line,'$.step'),'') AS step,"
    " json_extract(line,'$.outcome') AS outcome,"
    " coalesce(json_extract(line,'$.detail.title'),"
    " json_extract(line,'$.detail.text'), json_extract(line,'$.object.path'),"
    " json_extract(line,'$.detail.reason'),"
    " nullif(json_extract(line,'$.purpose'),''), '') AS what,"
    " json_extract(line,'$.id') AS id"
    " FROM custody ORDER BY seq";

inline constexpr std::string_view kExhibits =
    "CREATE VIEW exhibits AS WITH a AS MATERIALIZED (SELECT seq, line,"
    " json_extract(line,'$.action') AS action, json_extract(line,'$.item') AS "
    "item"
    " FROM custody WHERE json_extract(line,'$.action') IN"
    " ('acquire.begin','acquire.end','bundle.seal'))"
    " SELECT b.item AS id,"
    " CASE WHEN s.seq IS NOT NULL THEN 'sealed'"
    " WHEN json_extract(e.line,'$.outcome')='failed' THEN 'failed'"
    " ELSE 'begun' END AS state,"
    " json_extract(b.line,'$.detail.title') AS title,"
    " json_extract(b.line,'$.ts') AS begun_at,"
    " coalesce(json_extract(s.line,'$.ts'),'') AS sealed_at,"
    " coalesce(replace(json_extract(s.line,'$.object.path'),'evidence/',''),'')"
    " AS bundle,"
    " coalesce(json_extract(s.line,'$.object.size'),0) AS size,"
    " coalesce(json_extract(s.line,'$.object.sha256'),'') AS sha256,"
    " coalesce(json_extract(s.line,'$.detail.manifest_sha256'),'')"
    " AS manifest_sha256,"
    " coalesce(json_extract(e.line,'$.detail.items'),0) AS items,"
    " coalesce(json_extract(e.line,'$.detail.gaps'),0) AS gaps,"
    " coalesce(json_extract(s.line,'$.detail.payload_bytes'),0)"
    " AS payload_bytes,"
    " json_extract(coalesce(s.line,e.line,b.line),'$.outcome') AS outcome,"
    " coalesce(json_extract(b.line,'$.run'),'') AS run,"
    " coalesce(json_extract(b.line,'$.step'),'') AS step,"
    " b.seq AS begin_seq,"
    " coalesce(json_extract(s.line,'$.detail.counts'),"
    " json_extract(e.line,'$.detail.counts'),'{}') AS counts"
    " FROM a b"
    " LEFT JOIN a e ON e.seq=(SELECT max(x.seq) FROM a x"
    " WHERE x.action='acquire.end' AND x.item=b.item)"
    " LEFT JOIN a s ON s.seq=(SELECT min(x.seq) FROM a x"
    " WHERE x.action='bundle.seal' AND x.item=b.item)"
    " WHERE b.action='acquire.begin' ORDER BY b.seq";

/// Size and digest of a slice (lines before version 2 have detail.ranges) stand
/// beside a path that they are not of: the path says so.
inline constexpr std::string_view kItems =
    "CREATE VIEW items AS SELECT seq,"
    " json_extract(line,'$.item') AS id,"
    " json_extract(line,'$.detail.name') AS name,"
    " json_extract(line,'$.detail.collector') AS collector,"
    " json_extract(line,'$.object.kind') AS kind,"
    " CASE WHEN json_extract(line,'$.object.slice') IS NULL"
    " AND json_extract(line,'$.detail.ranges') IS NULL THEN ''"
    " ELSE 'slice of ' END || json_extract(line,'$.object.path') AS path,"
    " json_extract(line,'$.object.size') AS size,"
    " json_extract(line,'$.object.sha256') AS sha256,"
    " json_extract(line,'$.detail.size_declared') AS size_declared,"
    " json_extract(line,'$.detail.size_read') AS size_read,"
    " coalesce(json_extract(line,'$.detail.source_size'),'') AS source_size,"
    " coalesce(json_extract(line,'$.detail.source_sha256'),'')"
    " AS source_sha256,"
    " json_extract(line,'$.detail.mtime') AS mtime,"
    " json_extract(line,'$.detail.mode') AS mode,"
    " json_extract(line,'$.detail.uid') AS uid,"
    " json_extract(line,'$.detail.gid') AS gid,"
    " json_extract(line,'$.outcome') AS outcome,"
    " coalesce(json_extract(line,'$.detail.reason'),'') AS reason,"
    " json_extract(line,'$.ts') AS at"
    " FROM custody WHERE json_extract(line,'$.action')='acquire.file'"
    " AND coalesce(json_extract(line,'$.detail.gap'),0)=0 ORDER BY seq";

/// What was asked for and not obtained: an acquisition that came to no seal is
/// one gap by itself, whatever it had taken until then.
inline constexpr std::string_view kGaps =
    "CREATE VIEW gaps AS WITH a AS MATERIALIZED (SELECT seq, line,"
    " json_extract(line,'$.action') AS action,"
    " json_extract(line,'$.item') AS item,"
    " json_extract(line,'$.outcome') AS outcome"
    " FROM custody WHERE json_extract(line,'$.action') IN"
    " ('acquire.begin','acquire.end','bundle.seal'))"
    " SELECT seq,"
    " CASE WHEN json_extract(line,'$.detail.gap') THEN 'gap'"
    " ELSE 'incomplete' END AS kind,"
    " coalesce(json_extract(line,'$.item'),'') AS item,"
    " coalesce(json_extract(line,'$.detail.collector'),'') AS collector,"
    " json_extract(line,'$.object.path') AS subject,"
    " json_extract(line,'$.outcome') AS outcome,"
    " coalesce(json_extract(line,'$.detail.reason'),'') AS reason,"
    " json_extract(line,'$.ts') AS at,"
    " coalesce(json_extract(line,'$.run'),'') AS run,"
    " coalesce(json_extract(line,'$.step'),'') AS step"
    " FROM custody WHERE json_extract(line,'$.action')='acquire.file'"
    " AND (json_extract(line,'$.detail.gap')"
    " OR json_extract(line,'$.outcome') NOT IN ('ok','empty'))"
    " UNION ALL SELECT coalesce(e.seq,b.seq), 'unsealed', b.item,"
    " coalesce((SELECT group_concat(value,' ')"
    " FROM json_each(b.line,'$.detail.collectors')),''),"
    " json_extract(b.line,'$.detail.title'),"
    " CASE WHEN e.outcome NOT IN ('ok','empty') THEN e.outcome"
    " ELSE 'incomplete' END,"
    " CASE WHEN e.seq IS NULL THEN 'begun; no end is recorded'"
    " ELSE coalesce(json_extract(e.line,'$.detail.reason'),'') END,"
    " json_extract(coalesce(e.line,b.line),'$.ts'),"
    " coalesce(json_extract(b.line,'$.run'),''),"
    " coalesce(json_extract(b.line,'$.step'),'')"
    " FROM a b LEFT JOIN a e ON e.seq=(SELECT max(x.seq) FROM a x"
    " WHERE x.action='acquire.end' AND x.item=b.item)"
    " WHERE b.action='acquire.begin' AND NOT EXISTS (SELECT 1 FROM a s"
    " WHERE s.action='bundle.seal' AND s.item=b.item) ORDER BY seq";

inline constexpr std::string_view kFindings =
    "CREATE VIEW findings AS SELECT seq,"
    " json_extract(line,'$.detail.id') AS id,"
    " json_extract(line,'$.detail.verdict') AS verdict,"
    " json_extract(line,'$.detail.severity') AS severity,"
    " json_extract(line,'$.detail.title') AS title,"
    " coalesce(json_extract(line,'$.detail.detail'),'') AS detail,"
    " coalesce(json_extract(line,'$.detail.items'),'[]') AS items,"
    " coalesce(json_extract(line,'$.run'),'') AS run,"
    " coalesce(json_extract(line,'$.step'),'') AS step,"
    " json_extract(line,'$.ts') AS at,"
    " json_extract(line,'$.actor.name') AS who"
    " FROM custody WHERE json_extract(line,'$.action')='note'"
    " AND json_extract(line,'$.detail.kind')='finding' ORDER BY seq";

inline constexpr std::string_view kRuns =
    "CREATE VIEW runs AS WITH a AS MATERIALIZED (SELECT seq, line,"
    " json_extract(line,'$.action') AS action, json_extract(line,'$.run') AS "
    "run"
    " FROM custody WHERE json_extract(line,'$.action') IN"
    " ('playbook.start','playbook.end'))"
    " SELECT b.run AS id,"
    " json_extract(b.line,'$.detail.playbook') AS playbook,"
    " json_extract(b.line,'$.detail.version') AS version,"
    " json_extract(b.line,'$.detail.playbook_sha256') AS playbook_sha256,"
    " CASE l.action WHEN 'playbook.start' THEN 'running'"
    " ELSE json_extract(l.line,'$.detail.state') END AS state,"
    " json_extract(b.line,'$.ts') AS started_at,"
    " CASE l.action WHEN 'playbook.end' THEN json_extract(l.line,'$.ts')"
    " ELSE '' END AS ended_at,"
    " coalesce(json_extract(b.line,'$.detail.parameters'),'{}') AS parameters,"
    " coalesce(json_extract(b.line,'$.detail.deployment'),'') AS deployment,"
    " b.seq AS seq"
    " FROM a b"
    " JOIN a l ON l.seq=(SELECT max(x.seq) FROM a x WHERE x.run=b.run)"
    " WHERE b.seq IN (SELECT min(x.seq) FROM a x"
    " WHERE x.action='playbook.start' GROUP BY x.run) ORDER BY b.seq";

inline constexpr std::string_view kSteps =
    "CREATE VIEW steps AS WITH a AS MATERIALIZED (SELECT seq, line,"
    " json_extract(line,'$.run') AS run, json_extract(line,'$.step') AS step,"
    " json_extract(line,'$.detail.phase') AS phase"
    " FROM custody WHERE json_extract(line,'$.action')='playbook.step')"
    " SELECT b.run AS run, b.step AS step,"
    " coalesce(json_extract(b.line,'$.detail.title'),'') AS title,"
    " json_extract(b.line,'$.ts') AS started_at,"
    " coalesce(json_extract(e.line,'$.ts'),'') AS ended_at,"
    " coalesce(json_extract(e.line,'$.outcome'),'') AS outcome,"
    " coalesce(json_extract(e.line,'$.detail.reason'),'') AS reason,"
    " b.seq AS seq"
    " FROM a b LEFT JOIN a e ON e.seq=(SELECT min(x.seq) FROM a x"
    " WHERE x.seq>b.seq AND x.phase='end' AND x.run=b.run AND x.step=b.step)"
    " WHERE b.phase='start' ORDER BY b.seq";

/// The newest isolate.undo decides, unless a later measurement found the
/// containment in force: an intent (phase before) without its end is under way,
/// an end that was not proved leaves the containment open.
inline constexpr std::string_view kContainments =
    "CREATE VIEW containments AS WITH a AS MATERIALIZED (SELECT seq, line,"
    " json_extract(line,'$.action') AS action,"
    " json_extract(line,'$.outcome') AS outcome,"
    " json_extract(line,'$.detail.intent') AS intent"
    " FROM custody WHERE json_extract(line,'$.action') IN"
    " ('isolate.apply','isolate.verify','isolate.undo'))"
    " SELECT json_extract(b.line,'$.id') AS id,"
    " json_extract(b.line,'$.detail.deployment') AS deployment,"
    " json_extract(b.line,'$.detail.method') AS method,"
    " CASE WHEN u.seq IS NOT NULL AND NOT"
    " (v.seq IS NOT NULL AND v.seq>u.seq AND v.outcome='ok') THEN"
    " CASE json_extract(u.line,'$.detail.kind') WHEN 'release' THEN"
    " CASE WHEN json_extract(u.line,'$.detail.phase')='before'"
    " THEN 'releasing'"
    " WHEN u.outcome IN ('ok','rolled_back')"
    " AND coalesce(json_extract(u.line,'$.detail.released'),1)"
    " THEN 'released' ELSE 'release_failed' END"
    " ELSE CASE WHEN json_extract(u.line,'$.detail.phase')='before'"
    " THEN 'rolling_back'"
    " WHEN u.outcome IN ('ok','rolled_back') THEN 'rolled_back'"
    " ELSE 'rollback_failed' END END"
    " WHEN v.outcome='ok' THEN 'contained'"
    " WHEN d.seq IS NOT NULL THEN 'applied' ELSE 'intended' END AS state,"
    " json_extract(b.line,'$.ts') AS at,"
    " coalesce(json_extract(b.line,'$.detail.before'),'null') AS before,"
    " coalesce(json_extract(b.line,'$.detail.target'),'null') AS target,"
    " coalesce(json_extract(b.line,'$.run'),'') AS run,"
    " coalesce(json_extract(b.line,'$.step'),'') AS step,"
    " b.seq AS seq"
    " FROM a b"
    " LEFT JOIN a d ON d.seq=(SELECT max(x.seq) FROM a x"
    " WHERE x.action='isolate.apply' AND x.outcome IN ('ok','partial')"
    " AND x.intent=json_extract(b.line,'$.id'))"
    " LEFT JOIN a v ON v.seq=(SELECT max(x.seq) FROM a x"
    " WHERE x.action='isolate.verify'"
    " AND json_extract(x.line,'$.detail.expect')='contained'"
    " AND x.intent=json_extract(b.line,'$.id'))"
    " LEFT JOIN a u ON u.seq=(SELECT max(x.seq) FROM a x"
    " WHERE x.action='isolate.undo'"
    " AND x.intent=json_extract(b.line,'$.id'))"
    " WHERE b.action='isolate.apply'"
    " AND json_extract(b.line,'$.detail.phase')='before' ORDER BY b.seq";

inline constexpr std::string_view kApprovals =
    "CREATE VIEW approvals AS SELECT seq,"
    " json_extract(line,'$.ts') AS at,"
    " json_extract(line,'$.action') AS action,"
    " json_extract(line,'$.actor.name') AS who,"
    " json_extract(line,'$.detail.plan_sha256') AS plan_sha256,"
    " coalesce(json_extract(line,'$.detail.class'),'') AS class,"
    " coalesce(json_extract(line,'$.detail.approver'),'') AS approver,"
    " coalesce(json_extract(line,'$.detail.reason'),'') AS reason,"
    " coalesce(json_extract(line,'$.detail.expires_at'),'') AS expires_at,"
    " coalesce(json_extract(line,'$.run'),'') AS run,"
    " coalesce(json_extract(line,'$.step'),'') AS step,"
    " json_extract(line,'$.id') AS id"
    " FROM custody WHERE json_extract(line,'$.action') IN "
    "('approval.request','approval.grant','approval.deny','approval.expire')"
    " ORDER BY seq";

inline constexpr std::string_view kTransfers =
    "CREATE VIEW transfers AS SELECT seq,"
    " json_extract(line,'$.ts') AS at,"
    " json_extract(line,'$.action') AS action,"
    " coalesce(json_extract(line,'$.item'),'') AS item,"
    " json_extract(line,'$.detail.released_by') AS released_by,"
    " json_extract(line,'$.detail.received_by') AS received_by,"
    " json_extract(line,'$.purpose') AS purpose,"
    " json_extract(line,'$.detail.method') AS method,"
    " json_extract(line,'$.detail.tracking') AS tracking,"
    " json_extract(line,'$.detail.place') AS place,"
    " json_extract(line,'$.detail.condition') AS condition,"
    " json_extract(line,'$.detail.sha256_before') AS sha256_before,"
    " json_extract(line,'$.detail.sha256_after') AS sha256_after,"
    " coalesce(json_extract(line,'$.detail.signature'),'') AS signature,"
    " coalesce(json_extract(line,'$.detail.refused_reason'),'')"
    " AS refused_reason"
    " FROM custody WHERE json_extract(line,'$.action') IN "
    "('transfer.release','transfer.receive') ORDER BY seq";

inline constexpr std::string_view kCorrections =
    "CREATE VIEW corrections AS SELECT seq,"
    " json_extract(line,'$.ts') AS at,"
    " json_extract(line,'$.actor.name') AS who,"
    " json_extract(line,'$.detail.corrects') AS corrects,"
    " json_extract(line,'$.detail.field') AS field,"
    " json_extract(line,'$.detail.old') AS old,"
    " json_extract(line,'$.detail.new') AS new,"
    " json_extract(line,'$.detail.reason') AS reason"
    " FROM custody WHERE json_extract(line,'$.action')='correct' ORDER BY seq";

inline constexpr std::string_view kSigners =
    "CREATE VIEW signers AS SELECT seq,"
    " json_extract(line,'$.detail.signer.name') AS name,"
    " json_extract(line,'$.detail.signer.fingerprint') AS fingerprint,"
    " json_extract(line,'$.detail.signer.public_key') AS public_key,"
    " json_extract(line,'$.ts') AS introduced_at,"
    " CASE json_extract(line,'$.action') WHEN 'case.open' THEN 'opened'"
    " WHEN 'signer.add' THEN 'added' WHEN 'signer.vouch' THEN 'vouched'"
    " WHEN 'signer.rotate' THEN 'rotated' ELSE 'itself' END AS how,"
    " coalesce(json_extract(line,'$.detail.signer.rights'),'') AS rights,"
    " substr(json_extract(line,'$.actor.auth'),-64) AS signed_by"
    " FROM custody WHERE json_extract(line,'$.action') IN"
    " ('case.open','signer.add','signer.vouch','signer.rotate')"
    " OR (json_extract(line,'$.action')='note'"
    " AND json_extract(line,'$.detail.kind')='signer.introduce') ORDER BY seq";

inline constexpr std::string_view kSummary =
    "CREATE VIEW summary AS WITH a AS MATERIALIZED (SELECT"
    " json_extract(line,'$.action') AS action,"
    " json_extract(line,'$.item') AS item,"
    " json_extract(line,'$.ts') AS at,"
    " json_extract(line,'$.detail.kind') AS kind,"
    " json_extract(line,'$.detail.gap') AS gap FROM custody)"
    " SELECT json_extract(line,'$.case') AS id,"
    " json_extract(line,'$.detail.title') AS title,"
    " json_extract(line,'$.detail.lead') AS lead,"
    " json_extract(line,'$.detail.org') AS org,"
    " json_extract(line,'$.ts') AS opened_at,"
    " coalesce((SELECT max(at) FROM a WHERE action='case.close'),'')"
    " AS closed_at,"
    " (SELECT count(*) FROM a) AS entries,"
    " (SELECT count(*) FROM a WHERE action='acquire.begin') AS exhibits,"
    " (SELECT count(*) FROM a WHERE action='note' AND kind='finding')"
    " AS findings,"
    " (SELECT count(*) FROM a b WHERE (action='acquire.file' AND gap)"
    " OR (action='acquire.begin' AND NOT EXISTS (SELECT 1 FROM a s"
    " WHERE s.action='bundle.seal' AND s.item=b.item))) AS gaps"
    " FROM custody WHERE seq=1";

// What versions 1 and 2 said otherwise, word for word: files of these versions
// have it.

inline constexpr std::string_view kSigners2 =
    "CREATE VIEW signers AS SELECT seq,"
    " json_extract(line,'$.detail.signer.name') AS name,"
    " json_extract(line,'$.detail.signer.fingerprint') AS fingerprint,"
    " json_extract(line,'$.detail.signer.public_key') AS public_key,"
    " json_extract(line,'$.ts') AS introduced_at"
    " FROM custody WHERE json_extract(line,'$.action')='case.open'"
    " OR (json_extract(line,'$.action')='note'"
    " AND json_extract(line,'$.detail.kind')='signer.introduce') ORDER BY seq";

inline constexpr std::string_view kContainments1 =
    "CREATE VIEW containments AS WITH a AS MATERIALIZED (SELECT seq, line,"
    " json_extract(line,'$.action') AS action,"
    " json_extract(line,'$.outcome') AS outcome,"
    " json_extract(line,'$.detail.intent') AS intent"
    " FROM custody WHERE json_extract(line,'$.action') IN"
    " ('isolate.apply','isolate.verify','isolate.undo'))"
    " SELECT json_extract(b.line,'$.id') AS id,"
    " json_extract(b.line,'$.detail.deployment') AS deployment,"
    " json_extract(b.line,'$.detail.method') AS method,"
    " CASE WHEN u.seq IS NOT NULL THEN"
    " CASE json_extract(u.line,'$.detail.kind') WHEN 'release' THEN 'released'"
    " ELSE 'rolled_back' END"
    " WHEN v.outcome='ok' THEN 'contained'"
    " WHEN d.seq IS NOT NULL THEN 'applied' ELSE 'intended' END AS state,"
    " json_extract(b.line,'$.ts') AS at,"
    " coalesce(json_extract(b.line,'$.detail.before'),'null') AS before,"
    " coalesce(json_extract(b.line,'$.detail.target'),'null') AS target,"
    " coalesce(json_extract(b.line,'$.run'),'') AS run,"
    " coalesce(json_extract(b.line,'$.step'),'') AS step,"
    " b.seq AS seq"
    " FROM a b"
    " LEFT JOIN a d ON d.seq=(SELECT max(x.seq) FROM a x"
    " WHERE x.action='isolate.apply' AND x.outcome IN ('ok','partial')"
    " AND x.intent=json_extract(b.line,'$.id'))"
    " LEFT JOIN a v ON v.seq=(SELECT max(x.seq) FROM a x"
    " WHERE x.action='isolate.verify'"
    " AND json_extract(x.line,'$.detail.expect')='contained'"
    " AND x.intent=json_extract(b.line,'$.id'))"
    " LEFT JOIN a u ON u.seq=(SELECT max(x.seq) FROM a x"
    " WHERE x.action='isolate.undo' AND x.outcome IN ('ok','rolled_back')"
    " AND x.intent=json_extract(b.line,'$.id'))"
    " WHERE b.action='isolate.apply'"
    " AND json_extract(b.line,'$.detail.phase')='before' ORDER BY b.seq";

inline constexpr std::string_view kItems1 =
    "CREATE VIEW items AS SELECT seq,"
    " json_extract(line,'$.item') AS id,"
    " json_extract(line,'$.detail.name') AS name,"
    " json_extract(line,'$.detail.collector') AS collector,"
    " json_extract(line,'$.object.kind') AS kind,"
    " json_extract(line,'$.object.path') AS path,"
    " json_extract(line,'$.object.size') AS size,"
    " json_extract(line,'$.object.sha256') AS sha256,"
    " json_extract(line,'$.detail.size_declared') AS size_declared,"
    " json_extract(line,'$.detail.size_read') AS size_read,"
    " json_extract(line,'$.detail.mtime') AS mtime,"
    " json_extract(line,'$.detail.mode') AS mode,"
    " json_extract(line,'$.detail.uid') AS uid,"
    " json_extract(line,'$.detail.gid') AS gid,"
    " json_extract(line,'$.outcome') AS outcome,"
    " coalesce(json_extract(line,'$.detail.reason'),'') AS reason,"
    " json_extract(line,'$.ts') AS at"
    " FROM custody WHERE json_extract(line,'$.action')='acquire.file'"
    " AND coalesce(json_extract(line,'$.detail.gap'),0)=0 ORDER BY seq";

inline constexpr std::string_view kGaps2 =
    "CREATE VIEW gaps AS SELECT seq,"
    " CASE WHEN json_extract(line,'$.detail.gap') THEN 'gap'"
    " ELSE 'incomplete' END AS kind,"
    " coalesce(json_extract(line,'$.item'),'') AS item,"
    " coalesce(json_extract(line,'$.detail.collector'),'') AS collector,"
    " json_extract(line,'$.object.path') AS subject,"
    " json_extract(line,'$.outcome') AS outcome,"
    " coalesce(json_extract(line,'$.detail.reason'),'') AS reason,"
    " json_extract(line,'$.ts') AS at,"
    " coalesce(json_extract(line,'$.run'),'') AS run,"
    " coalesce(json_extract(line,'$.step'),'') AS step"
    " FROM custody WHERE json_extract(line,'$.action')='acquire.file'"
    " AND (json_extract(line,'$.detail.gap')"
    " OR json_extract(line,'$.outcome') NOT IN ('ok','empty')) ORDER BY seq";

inline constexpr std::string_view kSummary2 =
    "CREATE VIEW summary AS WITH a AS MATERIALIZED (SELECT"
    " json_extract(line,'$.action') AS action,"
    " json_extract(line,'$.ts') AS at,"
    " json_extract(line,'$.detail.kind') AS kind,"
    " json_extract(line,'$.detail.gap') AS gap FROM custody)"
    " SELECT json_extract(line,'$.case') AS id,"
    " json_extract(line,'$.detail.title') AS title,"
    " json_extract(line,'$.detail.lead') AS lead,"
    " json_extract(line,'$.detail.org') AS org,"
    " json_extract(line,'$.ts') AS opened_at,"
    " coalesce((SELECT max(at) FROM a WHERE action='case.close'),'')"
    " AS closed_at,"
    " (SELECT count(*) FROM a) AS entries,"
    " (SELECT count(*) FROM a WHERE action='acquire.begin') AS exhibits,"
    " (SELECT count(*) FROM a WHERE action='note' AND kind='finding')"
    " AS findings,"
    " (SELECT count(*) FROM a WHERE action='acquire.file' AND gap) AS gaps"
    " FROM custody WHERE seq=1";

inline constexpr std::array kViews{
    SchemaObject{"approvals", kApprovals},
    SchemaObject{"containments", kContainments},
    SchemaObject{"corrections", kCorrections},
    SchemaObject{"exhibits", kExhibits},
    SchemaObject{"findings", kFindings},
    SchemaObject{"gaps", kGaps},
    SchemaObject{"items", kItems},
    SchemaObject{"runs", kRuns},
    SchemaObject{"signers", kSigners},
    SchemaObject{"steps", kSteps},
    SchemaObject{"summary", kSummary},
    SchemaObject{"timeline", kTimeline},
    SchemaObject{"transfers", kTransfers},
};

inline constexpr std::array kViews2{
    SchemaObject{"approvals", kApprovals},
    SchemaObject{"containments", kContainments},
    SchemaObject{"corrections", kCorrections},
    SchemaObject{"exhibits", kExhibits},
    SchemaObject{"findings", kFindings},
    SchemaObject{"gaps", kGaps2},
    SchemaObject{"items", kItems},
    SchemaObject{"runs", kRuns},
    SchemaObject{"signers", kSigners2},
    SchemaObject{"steps", kSteps},
    SchemaObject{"summary", kSummary2},
    SchemaObject{"timeline", kTimeline},
    SchemaObject{"transfers", kTransfers},
};

inline constexpr std::array kViews1{
    SchemaObject{"approvals", kApprovals},
    SchemaObject{"containments", kContainments1},
    SchemaObject{"corrections", kCorrections},
    SchemaObject{"exhibits", kExhibits},
    SchemaObject{"findings", kFindings},
    SchemaObject{"gaps", kGaps2},
    SchemaObject{"items", kItems1},
    SchemaObject{"runs", kRuns},
    SchemaObject{"signers", kSigners2},
    SchemaObject{"steps", kSteps},
    SchemaObject{"summary", kSummary2},
    SchemaObject{"timeline", kTimeline},
    SchemaObject{"transfers", kTransfers},
};

/// A version of the file: tables and triggers are the same in all so far.
struct SchemaVersion {
  std::int32_t version;
  std::span<const SchemaObject> views;
};

inline constexpr std::array kVersions{
    SchemaVersion{1, kViews1},
    SchemaVersion{2, kViews2},
    SchemaVersion{3, kViews},
};

}  // namespace impound::sql

//! Boxes, their devices, what they report and what they are told to do.

use erp_engine::declare::{App, Field, Model, OnDelete};

pub(crate) fn app() -> App {
    App::new("iot", "Internet of Things")
        .translation("de", include_str!("i18n/de.po"))
        .translation("fr", include_str!("i18n/fr.po"))
        .depends(&["base"])
        .model(boxes())
        .model(devices())
        .model(events())
        .model(commands())
        .model(tokens())
        .model(secrets())
        .model(audit())
        .access("base.group_user", "iot.box", "r")
        .access("base.group_user", "iot.device", "r")
        .access("base.group_user", "iot.event", "r")
        .access("base.group_user", "iot.command", "r")
        .access("base.group_user", "iot.audit", "r")
}

fn boxes() -> Model {
    Model::new("iot.box", "IoT Box")
        .order("name")
        .field(Field::char_len("box_id", 64).required().readonly().unique().help("Hash of the box's public key"))
        .field(Field::char_len("name", 64).required().unique())
        .field(Field::char_len("serial", 128))
        .field(Field::char_len("version", 64))
        .field(Field::char_len("db", 64))
        .field(
            Field::selection("state", &[("pending", "Waiting"), ("paired", "Paired"), ("unpaired", "Unpaired")])
                .required()
                .default("pending"),
        )
        .field(Field::boolean("online"))
        .field(Field::datetime("last_seen"))
        .field(Field::char_len("pairing_id", 64))
        .field(Field::char_len("client_key_hash", 128))
        .field(Field::json("urls").help("Addresses at which tills in the shop reach the box"))
        .field(Field::integer("unsent").default(0).help("Events that the box keeps and the ERP has not got yet"))
        .field(Field::boolean("outbox_full"))
        .field(Field::datetime("certificate_not_after"))
        .field(Field::text("message").help("What is wrong with it, in plain words"))
        .field(Field::one2many("devices", "iot.device", "box"))
}

fn devices() -> Model {
    Model::new("iot.device", "Device")
        .order("box.name, name")
        .field(Field::many2one("box", "iot.box").required().ondelete(OnDelete::Cascade))
        .field(Field::char_len("identifier", 256).required().help("Stays the same when the plug is moved"))
        .field(Field::char_len("name", 256).required())
        .field(Field::char_len("class", 64))
        .field(Field::char_len("connection", 64))
        .field(Field::char_len("driver", 128))
        .field(Field::char_len("manufacturer", 256))
        .field(Field::char_len("model", 256))
        .field(Field::char_len("status", 64))
        .field(Field::text("message"))
        .field(Field::datetime("last_seen"))
        .unique(&["box", "identifier"], "this box has a device with this identifier already")
}

fn events() -> Model {
    Model::new("iot.event", "Event")
        .description("Business events, each once, as the boxes kept them until they were here")
        .order("id desc")
        // Written by ingest alone, in great numbers: `received_at` says what stamps would.
        .without_log_access()
        .field(Field::many2one("box", "iot.box").required().ondelete(OnDelete::Cascade))
        .field(Field::char_len("epoch", 64).required())
        .field(Field::integer("seq").required())
        .field(Field::char_len("device", 256).help("The device's identifier"))
        .field(Field::char_len("type", 64).required())
        .field(Field::json("data"))
        .field(Field::datetime("at").help("When it happened, by the box's estimate of the ERP's time"))
        .field(Field::datetime("received_at").default_now())
        .unique(&["box", "epoch", "seq"], "this event is here already")
}

fn commands() -> Model {
    Model::new("iot.command", "Command")
        .rec_name("title")
        .order("id desc")
        .field(Field::char_len("command_id", 64).required().unique())
        .field(Field::many2one("box", "iot.box").required().ondelete(OnDelete::Cascade))
        .field(Field::char_len("device", 256).help("The device's identifier"))
        .field(Field::char_len("do", 64).required())
        .field(Field::json("body"))
        .field(Field::char("title"))
        .field(Field::integer("issued_ms").required().help("Unix time in ms, on the ERP's clock"))
        .field(Field::integer("ttl_ms").required())
        .field(
            Field::selection(
                "state",
                &[
                    ("waiting", "Waiting"),
                    ("sent", "Sent"),
                    ("done", "Done"),
                    ("rejected", "Rejected"),
                    ("unknown", "Unknown"),
                ],
            )
            .required()
            .default("waiting")
            .index(),
        )
        .field(Field::json("outcome"))
        .field(Field::many2one("requested_by", "res.users").default_user())
}

fn tokens() -> Model {
    Model::new("iot.token", "Pairing Token")
        .field(Field::char_len("token_hash", 128).required().unique().secret())
        .field(Field::datetime("expires_at").required())
        .field(Field::boolean("used"))
        .field(Field::many2one("used_by_box", "iot.box"))
        .field(Field::many2one("made_by", "res.users").default_user())
}

fn secrets() -> Model {
    Model::new("iot.secret", "Sealed Key")
        .description("Keys of the certificate authorities, encrypted with a key that lies outside the database")
        .field(Field::char_len("name", 64).required().unique())
        .field(Field::bytes("sealed").required().secret())
}

fn audit() -> Model {
    Model::new("iot.audit", "Audit Entry")
        .rec_name("action")
        .order("id desc")
        .without_log_access()
        .field(Field::datetime("at").default_now().index())
        .field(Field::many2one("user", "res.users").default_user())
        .field(Field::many2one("box", "iot.box"))
        .field(Field::char_len("action", 64).required())
        .field(Field::char("subject"))
        .field(Field::char_len("address", 64).help("Where the request came from"))
        .field(Field::json("detail"))
}

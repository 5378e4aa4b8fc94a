//! Contents of files, pictures, formatted texts and references.

use std::time::Duration;

use erp_engine::{
    Engine, Env, Id, Search, Value,
    declare::{App, Field, Model},
    domain, values,
};

use crate::{on_both, support::TestDb};

fn app() -> App {
    App::new("album", "Album").model(
        Model::new("photo", "Photo")
            .order("id")
            .field(Field::char("name"))
            .field(Field::image("image", 16, 16))
            .field(Field::binary("document"))
            .field(Field::html("caption"))
            .field(Field::reference("about", &[("photo", "Photo")])),
    )
}

async fn open(db: &TestDb) -> (Engine, Env) {
    let engine = db.open(&[app()]).await;
    let env = engine.superuser("test").await.unwrap();
    (engine, env)
}

fn picture(side: u32) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(side, side / 2).write_to(&mut out, image::ImageFormat::Png).unwrap();
    out.into_inner()
}

async fn attachments(env: &mut Env) -> Vec<(String, String, i64, String, i64)> {
    let fields = ["res_model", "res_field", "res_id", "mimetype", "file_size"];
    let found =
        env.search_read("ir.attachment", &domain!(), &fields, Search::order("res_id, res_field")).await.unwrap();
    found
        .iter()
        .map(|r| {
            let text = |name: &str| r.get_str(name).to_owned();
            (
                text("res_model"),
                text("res_field"),
                r.get("res_id").unwrap(),
                text("mimetype"),
                r.get("file_size").unwrap(),
            )
        })
        .collect()
}

on_both! {
    async fn a_file_is_kept_outside_the_row_and_known_as_an_attachment(db: TestDb) {
        let (engine, mut env) = open(db).await;
        let rows = vec![
            values! { "name" => "a", "document" => b"%PDF-1.7".to_vec(), "image" => picture(64) },
            values! { "name" => "b", "document" => b"%PDF-1.7".to_vec() },
            values! { "name" => "c" },
        ];
        let ids = env.create_many("photo", rows).await.unwrap();
        let read = env.read("photo", &ids, &["document", "image"]).await.unwrap();
        assert_eq!(read[0].get::<Vec<u8>>("document").unwrap(), b"%PDF-1.7");
        assert!(read[2].value("document").is_null());
        let small: Vec<u8> = read[0].get("image").unwrap();
        let size = image::load_from_memory(&small).unwrap();
        assert_eq!((size.width(), size.height()), (16, 8), "no larger than the field allows");
        let photo = |field: &str, id: Id, kind: &str, size: i64| ("photo".to_owned(), field.to_owned(), id.0, kind.to_owned(), size);
        let small = small.len() as i64;
        let expected = [photo("document", ids[0], "application/pdf", 8), photo("image", ids[0], "image/png", small), photo("document", ids[1], "application/pdf", 8)];
        assert_eq!(attachments(&mut env).await, expected);
        assert_eq!(env.search("photo", &domain!(["document", "!=", false]), Search::default()).await.unwrap(), ids[..2]);
        assert_eq!(env.search("photo", &domain!(["image", "=", false]), Search::default()).await.unwrap(), ids[1..]);

        env.write("photo", &ids[..2], values! { "document" => b"new".to_vec(), "image" => Value::Null }).await.unwrap();
        env.write_each("photo", vec![(ids[2], values! { "document" => b"third".to_vec() })]).await.unwrap();
        let expected = [photo("document", ids[0], "text/plain", 3), photo("document", ids[1], "text/plain", 3), photo("document", ids[2], "text/plain", 5)];
        assert_eq!(attachments(&mut env).await, expected);
        let by_field = env.search_read("ir.attachment", &domain!(["res_id", "=", ids[2].0]), &["datas"], Search::default()).await.unwrap();
        assert_eq!(by_field[0].get::<Vec<u8>>("datas").unwrap(), b"third");
        let sizes = env.context().clone().with("bin_size", true);
        env.set_context(sizes);
        assert_eq!(env.read("photo", &ids[2..], &["document"]).await.unwrap()[0].get_str("document"), "5.00 bytes");

        env.unlink("photo", &ids[..1]).await.unwrap();
        assert_eq!(attachments(&mut env).await, expected[1..]);
        env.commit().await.unwrap();
        assert_eq!(engine.collect_files(Duration::from_secs(3600)).await.unwrap(), 0, "too young");
        assert_eq!(engine.collect_files(Duration::ZERO).await.unwrap(), 2, "the first document and the picture");
        let mut env = engine.superuser("test").await.unwrap();
        assert_eq!(env.read("photo", &ids[1..2], &["document"]).await.unwrap()[0].get::<Vec<u8>>("document").unwrap(), b"new");
    }

    async fn an_attachment_by_itself_knows_what_its_content_is(db: TestDb) {
        let (_engine, mut env) = open(db).await;
        let id = env.create("ir.attachment", values! { "name" => "a.png", "datas" => picture(20) }).await.unwrap();
        let fields = ["mimetype", "file_size", "datas", "checksum", "type"];
        let read = env.read("ir.attachment", &[id], &fields).await.unwrap().remove(0);
        assert_eq!((read.get_str("mimetype"), read.get_str("type")), ("image/png", "binary"));
        assert_eq!(read.get::<i64>("file_size").unwrap(), picture(20).len() as i64);
        assert_eq!(read.get::<Vec<u8>>("datas").unwrap(), picture(20), "as it is: attachments are no pictures of a size");
        env.write("ir.attachment", &[id], values! { "datas" => Value::Null }).await.unwrap();
        assert_eq!(env.read("ir.attachment", &[id], &["file_size"]).await.unwrap()[0].get::<i64>("file_size").unwrap(), 0);
    }

    async fn what_is_no_picture_is_refused(db: TestDb) {
        let (_engine, mut env) = open(db).await;
        let error = env.create("photo", values! { "image" => b"hello".to_vec() }).await.unwrap_err().to_string();
        assert!(error.starts_with("photo, field image: it is no picture; use a PNG"), "{error}");
        let error = env.create("photo", values! { "document" => "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" }).await.unwrap_err().to_string();
        assert!(error.contains("is not bytes"), "no file is had by its name: {error}");
    }

    async fn formatted_text_is_made_harmless_and_references_are_checked(db: TestDb) {
        let (_engine, mut env) = open(db).await;
        let html = "<p style=\"color: red; position: fixed\" onclick=\"x()\">Hi<script>alert(1)</script> <a href=\"javascript:x\">a</a></p>";
        let id = env.create("photo", values! { "caption" => html }).await.unwrap();
        let caption = env.read("photo", &[id], &["caption"]).await.unwrap()[0].get_str("caption").to_owned();
        assert_eq!(caption, "<p style=\"color:red\">Hi <a rel=\"noopener noreferrer\">a</a></p>");
        env.write("photo", &[id], values! { "about" => format!("photo,{id}") }).await.unwrap();
        for wrong in ["photo", "photo,x", "res.users,1", "photo,-1"] {
            let error = env.write("photo", &[id], values! { "about" => wrong }).await.unwrap_err().to_string();
            assert!(error.contains("is no record such as"), "{error}");
        }
    }
}

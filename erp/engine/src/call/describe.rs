//! What can be called, described: for pages about the API, for clients that ask for the names of arguments, and as
//! OpenAPI. Only what the user may see.

use std::collections::BTreeMap;

use serde::{
    Serialize,
    ser::{SerializeMap, Serializer},
};
use serde_json::{Map, Value as Json, json};

use super::fields;
use crate::{
    declare::{Method, On, Param},
    error::{Error, Operation},
    execute::Env,
    resolve::ModelDef,
};

impl Env {
    /// The models that the user may read, by name, with what people call them.
    pub fn described_models(&self) -> Vec<Json> {
        let models = self.registry().models().filter(|model| self.check_right(&model.name, Operation::Read).is_ok());
        let words = self.words();
        models.map(|model| json!({"model": &*model.name, "name": words.model(model)})).collect()
    }

    /// Fields and methods of a model.
    pub fn described_model(&self, name: &str) -> Result<Described, Error> {
        let registry = self.registry();
        let model = registry.model(name)?;
        self.check_right(name, Operation::Read)?;
        let mut fields = fields::describe(self, model, None, None);
        for (name, field) in &mut fields {
            if let (Json::Object(field), Some(def)) = (field, model.find(name)) {
                field.insert("module".to_owned(), def.app.as_str().into());
            }
        }
        let methods = registry.methods.list(model).into_iter();
        Ok(Described {
            model: name.to_owned(),
            name: self.words().model(model).to_owned(),
            doc: model.description.clone(),
            fields,
            methods: methods.map(|(name, method)| (name.to_owned(), described(method))).collect(),
        })
    }

    /// OpenAPI 3.1 paths and schemas of the models that the user may read, as `/json/2` has them.
    pub fn openapi(&self) -> (Map<String, Json>, Map<String, Json>) {
        let (mut paths, mut schemas) = (Map::new(), Map::new());
        for model in self.registry().models() {
            if self.check_right(&model.name, Operation::Read).is_err() {
                continue;
            }
            schemas.insert(model.name.to_string(), self.schema(model));
            for (name, method) in self.registry().methods.list(model) {
                paths.insert(format!("/json/2/{}/{name}", model.name), operation(model, method));
            }
        }
        (paths, schemas)
    }

    /// A record as reading answers it.
    fn schema(&self, model: &ModelDef) -> Json {
        let described = fields::describe(self, model, None, None);
        let properties: Map<String, Json> =
            described.into_iter().map(|(name, field)| (name, property(&field))).collect();
        json!({"type": "object", "title": self.words().model(model), "description": model.description, "properties": properties})
    }
}

/// `false` stands for an empty value of most types.
fn property(field: &Json) -> Json {
    let one = |schema: Json| json!({"anyOf": [schema, {"const": false}]});
    let mut schema = match field["type"].as_str().unwrap_or_default() {
        "integer" => json!({"type": "integer"}),
        "float" | "monetary" => json!({"type": "number"}),
        "boolean" => json!({"type": "boolean"}),
        "date" => one(json!({"type": "string", "format": "date"})),
        "datetime" => one(json!({"type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2} \\d{2}:\\d{2}:\\d{2}$"})),
        "binary" => one(json!({"type": "string", "contentEncoding": "base64"})),
        "selection" => {
            let options: Vec<Json> =
                field["selection"].as_array().into_iter().flatten().map(|pair| pair[0].clone()).collect();
            one(json!({"type": "string", "enum": options}))
        }
        "many2one" => one(json!({
            "type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2
        })),
        "one2many" | "many2many" => json!({"type": "array", "items": {"type": "integer"}}),
        "json" => json!({}),
        _ => one(json!({"type": "string"})),
    };
    if let Json::Object(schema) = &mut schema {
        schema.insert("title".to_owned(), field["string"].clone());
        if let Some(help) = field.get("help") {
            schema.insert("description".to_owned(), help.clone());
        }
        if field["readonly"] == true {
            schema.insert("readOnly".to_owned(), true.into());
        }
    }
    schema
}

fn operation(model: &ModelDef, method: &Method) -> Json {
    let mut properties = Map::new();
    let mut required: Vec<&str> = Vec::new();
    if method.on == On::Records {
        properties.insert("ids".to_owned(), json!({"type": "array", "items": {"type": "integer"}}));
        required.push("ids");
    }
    properties.insert("context".to_owned(), json!({"type": "object"}));
    for param in &method.params {
        let schema = param.default.as_ref().map_or_else(|| json!({}), |default| json!({"default": default}));
        properties.insert(param.name.to_owned(), schema);
        if param.default.is_none() {
            required.push(param.name);
        }
    }
    json!({"post": {
        "operationId": format!("{}.{}", model.name, method.name),
        "summary": method.doc,
        "tags": [&*model.name],
        "security": [{"key": []}],
        "requestBody": {
            "required": true,
            "content": {"application/json": {
                "schema": {"type": "object", "properties": properties, "required": required, "additionalProperties": false}
            }},
        },
        "responses": {
            "200": {"description": "What the method answers", "content": {"application/json": {"schema": {}}}},
            "default": {"$ref": "#/components/responses/error"},
        },
    }})
}

/// A model's documentation.
#[derive(Debug, Serialize)]
pub struct Described {
    model: String,
    name: String,
    doc: String,
    fields: Map<String, Json>,
    methods: BTreeMap<String, DescribedMethod>,
}

#[derive(Debug, Serialize)]
struct DescribedMethod {
    signature: String,
    parameters: Parameters,
    api: Vec<&'static str>,
    #[serde(rename = "return")]
    answer: Map<String, Json>,
    raise: Map<String, Json>,
    doc: &'static str,
}

/// An object whose order says the positions.
#[derive(Debug)]
struct Parameters(Vec<(&'static str, Json)>);

impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(self.0.len()))?;
        for (name, shape) in &self.0 {
            map.serialize_entry(name, shape)?;
        }
        map.end()
    }
}

fn described(method: &Method) -> DescribedMethod {
    let word = |param: &Param| match &param.default {
        Some(default) => format!("{}={}", param.name, python(default)),
        None => param.name.to_owned(),
    };
    let signature: Vec<String> = method.params.iter().map(word).collect();
    let shape = |param: &Param| match &param.default {
        Some(default) => (param.name, json!({ "default": default })),
        None => (param.name, json!({})),
    };
    let mut api: Vec<&str> = Vec::new();
    api.extend((method.on == On::Model).then_some("model"));
    api.extend(method.readonly.then_some("readonly"));
    DescribedMethod {
        signature: format!("({})", signature.join(", ")),
        parameters: Parameters(method.params.iter().map(shape).collect()),
        api,
        answer: Map::new(),
        raise: Map::new(),
        doc: method.doc,
    }
}

fn python(value: &Json) -> String {
    match value {
        Json::Null => "None".to_owned(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}

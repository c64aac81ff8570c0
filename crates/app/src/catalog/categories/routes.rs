//! `GET /categories` and `/admin/categories`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::ids::CategoryId;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::tree::{Category, Names};
use crate::actions::about;
use crate::catalog::Catalog;
use crate::http::{Body, Items, NoBody, Outcome, Path, Problem, Seller, one_line, present, some_text};

/// Letters of a name.
const LONGEST_NAME: usize = 60;

/// What a category is called.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CategoryName)]
pub(in crate::catalog) struct NameBody {
    /// In Korean.
    #[serde(default)]
    #[garde(inner(custom(category_name)))]
    #[schema(example = "상품권")]
    ko: Option<String>,
    /// In English.
    #[serde(default)]
    #[garde(inner(custom(category_name)))]
    #[schema(example = "Gift cards")]
    en: Option<String>,
}

/// A new category.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::catalog) struct NewCategory {
    /// In one language, or in both.
    #[garde(dive)]
    name: NameBody,
    /// The category that it is in, which is in none itself.
    #[serde(default)]
    #[garde(skip)]
    #[schema(value_type = Option<String>)]
    parent: Option<CategoryId>,
    /// Smaller comes first.
    #[serde(default)]
    #[garde(skip)]
    position: u32,
}

/// Changes of a category. What is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::catalog) struct EditCategory {
    #[serde(default)]
    #[garde(dive)]
    name: Option<NameBody>,
    #[serde(default, deserialize_with = "present")]
    #[garde(skip)]
    #[schema(value_type = Option<String>)]
    parent: Option<Option<CategoryId>>,
    #[serde(default)]
    #[garde(skip)]
    position: Option<u32>,
}

/// A category.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Category)]
pub(in crate::catalog) struct CategoryView {
    #[schema(value_type = String)]
    category_id: CategoryId,
    name: NameBody,
    /// The category that it is in.
    #[schema(value_type = Option<String>)]
    parent: Option<CategoryId>,
    position: u32,
}

impl From<&Category> for CategoryView {
    fn from(category: &Category) -> Self {
        let Category { category_id, name, parent, position } = category.clone();
        Self { category_id, name: name.into(), parent, position }
    }
}

impl From<Names> for NameBody {
    fn from(Names { ko, en }: Names) -> Self {
        Self { ko, en }
    }
}

impl From<NameBody> for Names {
    fn from(NameBody { ko, en }: NameBody) -> Self {
        Self { ko, en }
    }
}

/// Files write a category as `name > name`, and several with commas between them.
fn category_name(name: &str, context: &()) -> garde::Result {
    some_text(name, context)?;
    one_line(name, context)?;
    if name.chars().count() > LONGEST_NAME {
        return Err(garde::Error::new(format!("has {LONGEST_NAME} letters at most")));
    }
    if name.contains('>') {
        return Err(garde::Error::new("must not have >, which stands between two names in files"));
    }
    Ok(())
}

/// The same for a name in a file.
pub(super) fn check_name(name: &str) -> Outcome<()> {
    category_name(name, &()).map_err(|error| Problem::field("categories", format!("{name}: {error}")))
}

/// Every category, in the order in which they are shown: behind each those that are in it.
#[utoipa::path(
    get, path = "/api/v1/categories", tag = "catalog",
    responses((status = 200, body = Items<CategoryView>, description = "All of them; `next_cursor` is null")),
)]
pub(in crate::catalog) async fn list(State(catalog): State<Arc<Catalog>>) -> Outcome<Json<Items<CategoryView>>> {
    let items = catalog.tree().await?.all().iter().map(CategoryView::from).collect();
    Ok(Json(Items { items, next_cursor: None }))
}

/// Every category, in the order in which they are shown.
#[utoipa::path(
    get, path = "/api/v1/admin/categories", tag = "admin",
    responses((status = 200, body = Items<CategoryView>)), security(("bearer" = [])),
)]
pub(in crate::catalog) async fn of_seller(
    catalog: State<Arc<Catalog>>,
    _: Seller,
) -> Outcome<Json<Items<CategoryView>>> {
    list(catalog).await
}

/// Creates a category.
#[utoipa::path(
    post, path = "/api/v1/admin/categories", tag = "admin", request_body = NewCategory,
    responses(
        (status = 201, body = CategoryView),
        (status = 409, description = "wrong_state: there are as many as there may be"),
        (status = 422, description = "invalid_body"),
    ),
    security(("bearer" = [])),
)]
pub(in crate::catalog) async fn create(
    State(catalog): State<Arc<Catalog>>,
    _: Seller,
    body: Body<NewCategory>,
) -> Outcome<(StatusCode, Json<CategoryView>)> {
    let NewCategory { name, parent, position } = body.value;
    let category = Category { category_id: catalog.new_category_id(), name: name.into(), parent, position };
    about(category.category_id);
    catalog.change_tree(|tree| tree.put(category.clone())).await?;
    Ok((StatusCode::CREATED, Json(CategoryView::from(&category))))
}

/// Changes a category.
#[utoipa::path(
    patch, path = "/api/v1/admin/categories/{id}", tag = "admin", params(("id" = String, Path)), request_body = EditCategory,
    responses(
        (status = 200, body = CategoryView),
        (status = 404, description = "not_found"),
        (status = 422, description = "invalid_body"),
    ),
    security(("bearer" = [])),
)]
pub(in crate::catalog) async fn change(
    State(catalog): State<Arc<Catalog>>,
    _: Seller,
    Path(id): Path<String>,
    body: Body<EditCategory>,
) -> Outcome<Json<CategoryView>> {
    let id: CategoryId = id.parse().map_err(|_| Problem::not_found())?;
    let EditCategory { name, parent, position } = body.value;
    let changed = catalog.change_tree(|tree| {
        let mut category = tree.get(id).cloned().ok_or_else(Problem::not_found)?;
        category.name = name.clone().map_or(category.name, Names::from);
        category.parent = parent.unwrap_or(category.parent);
        category.position = position.unwrap_or(category.position);
        tree.put(category.clone())?;
        Ok(category)
    });
    Ok(Json(CategoryView::from(&changed.await?)))
}

/// Deletes a category. Its products stay, and are in it no more; those that are in it stand at the top.
#[utoipa::path(
    delete, path = "/api/v1/admin/categories/{id}", tag = "admin", params(("id" = String, Path)),
    responses(
        (status = 204, description = "it is gone"),
        (status = 404, description = "not_found"),
        (status = 409, description = "wrong_state: one of those in it has the name of one at the top"),
    ),
    security(("bearer" = [])),
)]
pub(in crate::catalog) async fn remove(
    State(catalog): State<Arc<Catalog>>,
    _: Seller,
    Path(id): Path<String>,
    _: NoBody,
) -> Outcome<StatusCode> {
    let id: CategoryId = id.parse().map_err(|_| Problem::not_found())?;
    catalog.change_tree(|tree| tree.remove(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

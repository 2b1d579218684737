//! Ruby: Rails, Rack, Rake.

use super::super::view::View;

pub(crate) fn start(view: &View<'_>) -> Option<String> {
    let command = if is_rails(view) {
        if view.has("rails") {
            "bundle exec rails server -b 0.0.0.0 -p ${PORT:-3000}"
        } else {
            "bundle exec bin/rails server -b 0.0.0.0 -p ${PORT:-3000} -e $RAILS_ENV"
        }
    } else if view.has("config/environment.rb") && view.has("script") {
        "bundle exec ruby script/server -b 0.0.0.0 -p ${PORT:-3000}"
    } else if view.has("config.ru") {
        "bundle exec rackup config.ru -o 0.0.0.0 -p ${PORT:-3000}"
    } else if view.has("Rakefile") {
        "bundle exec rake"
    } else {
        return None;
    };
    Some(command.to_owned())
}

pub(crate) fn is_rails(view: &View<'_>) -> bool {
    view.contains("config/application.rb", "Rails::Application")
}

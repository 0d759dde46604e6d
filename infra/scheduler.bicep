// The Durable Task Scheduler, as another place for the task hub than the storage account.
param location string
param tags object
param name string

resource scheduler 'Microsoft.DurableTask/schedulers@2025-11-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    sku: { name: 'Consumption' }
    // An empty list lets nobody in. Whoever comes also needs a role.
    ipAllowlist: ['0.0.0.0/0']
  }

  // Named as in infra/host.scheduler.json.
  resource hub 'taskHubs' = {
    name: 'AccountsPayable'
  }
}

output endpoint string = scheduler.properties.endpoint

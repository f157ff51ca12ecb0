// In whose names Azure is asked: the controller, and the one who puts events into its queue.
param location string
param tags object
param suffix string

resource controller 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-rollout-${suffix}'
  location: location
  tags: tags
}

resource sender 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-rollout-events-${suffix}'
  location: location
  tags: tags
}

output controllerId string = controller.id
output controllerClientId string = controller.properties.clientId
output controllerPrincipalId string = controller.properties.principalId
output senderId string = sender.id
output senderPrincipalId string = sender.properties.principalId
